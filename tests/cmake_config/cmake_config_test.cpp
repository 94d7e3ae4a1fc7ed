// SPDX-License-Identifier: Apache-2.0
// The headers that apriori_add_config writes hold what their config.json says.
#include "digits.hpp"
#include "eclipse.hpp"
#include "image_encoder.hpp"
#include "no_time.hpp"
#include "nothing.hpp"
#include "odd.hpp"
#include "text_encoder.hpp"
#include "time_given.hpp"

#include <gtest/gtest.h>

using namespace apriori;

TEST(cmake_config, a_saved_model_is_its_preset) { EXPECT_EQ(::digits, presets::digits); }

TEST(cmake_config, encoders_of_clip) {
    EXPECT_EQ(text_encoder, presets::digits_text);
    constexpr CLIPVisionConfig without_projection{.hidden_size = 10,
                                                  .intermediate_size = 20,
                                                  .projection_dim = 0,
                                                  .num_hidden_layers = 1,
                                                  .num_attention_heads = 2,
                                                  .image_size = 8,
                                                  .patch_size = 4};
    EXPECT_EQ(image_encoder, without_projection);
}

TEST(cmake_config, an_empty_object_is_the_class_defaults) { EXPECT_EQ(nothing, PriorConfig{}); }

TEST(cmake_config, a_file_of_eclipse_has_no_time_embedding) {
    constexpr PriorConfig one_pass{.additional_embeddings = 3, .time_embedding = false};
    EXPECT_EQ(::eclipse, one_pass);
    EXPECT_FALSE(::no_time.time_embedding);
    EXPECT_TRUE(::time_given.time_embedding);
}

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
