// SPDX-License-Identifier: Apache-2.0
// The headers that apriori_add_config writes hold what their config.json says.
#include "digits.hpp"
#include "nothing.hpp"
#include "odd.hpp"

#include <gtest/gtest.h>

using namespace apriori;

TEST(cmake_config, a_saved_model_is_its_preset) { EXPECT_EQ(::digits, presets::digits); }

TEST(cmake_config, an_empty_object_is_the_class_defaults) { EXPECT_EQ(nothing, PriorConfig{}); }

TEST(cmake_config, every_kind_of_value) {
    EXPECT_EQ(odd.time_embed_act_fn, activation::silu);
    EXPECT_EQ(odd.norm_in_type, norm_type::rms);
    EXPECT_EQ(odd.embedding_proj_norm_type, norm_type::layer);
    EXPECT_EQ(odd.encoder_hid_proj_type, hid_proj_type::none);
    EXPECT_EQ(odd.added_emb_type, added_emb::none);
    EXPECT_EQ(odd.dropout, 0.1f);
    EXPECT_EQ(odd.num_embeddings, 0);
    EXPECT_EQ(odd.time_embed_dim, none);
    EXPECT_EQ(odd.embedding_proj_dim, none);
    EXPECT_EQ(odd.clip_embed_dim, 10);
    EXPECT_EQ(odd.num_layers, 20);
}
