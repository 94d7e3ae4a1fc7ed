// SPDX-License-Identifier: Apache-2.0
// The headers that apriori_add_config writes contain the fields of their config.json. A file that is not allowed is an
// error in the code that reads it, in constant expressions and at run time.
#include "clip_model.hpp"
#include "digits.hpp"
#include "eclipse.hpp"
#include "image_encoder.hpp"
#include "no_time.hpp"
#include "nothing.hpp"
#include "odd.hpp"
#include "text_encoder.hpp"
#include "time_given.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

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

TEST(cmake_config, both_encoders_of_a_clip_model) {
    constexpr CLIPTextConfig text{.hidden_size = 64, .projection_dim = 24, .num_attention_heads = 4};
    constexpr CLIPVisionConfig vision{.hidden_size = 96, .projection_dim = 24, .patch_size = 14};
    EXPECT_EQ(clip_model.text, text);
    EXPECT_EQ(clip_model.vision, vision);
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
    EXPECT_EQ(odd.time_embed_dim, null_dim);
    EXPECT_EQ(odd.embedding_proj_dim, null_dim);
    EXPECT_EQ(odd.clip_embed_dim, 10);
    EXPECT_EQ(odd.num_layers, 20);
}

namespace {

struct refused {
    std::string_view json, message;
};
/// Files that PriorTransformer does not allow, and the ends of the messages.
constexpr refused refusals[] = {
    {R"({"num_attention_heads": 0})", ": field 'num_attention_heads' is 0; allowed: an integer from 1 to 1048576"},
    {R"({"attention_head_dim": 0})", ": field 'attention_head_dim' is 0; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": 0})", ": field 'num_layers' is 0; allowed: an integer from 1 to 1048576"},
    {R"({"embedding_dim": 0})", ": field 'embedding_dim' is 0; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": -20})", ": field 'num_layers' is -20; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": 4.5})", ": field 'num_layers' is 4.5; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": 4.0})", ": field 'num_layers' is 4.0; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": 1e3})", ": field 'num_layers' is 1e3; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": 99999999999})", ": field 'num_layers' is 99999999999; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": "4"})", ": field 'num_layers' is \"4\"; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": null})", ": field 'num_layers' is null; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": [ 4 ]})", ": field 'num_layers' is [4]; allowed: an integer from 1 to 1048576"},
    {R"({"num_layers": {"a": 4}})", ": field 'num_layers' is an object; allowed: an integer from 1 to 1048576"},
    {R"({"additional_embeddings": -1})",
     ": field 'additional_embeddings' is -1; allowed: an integer from 0 to 1048576"},
    {R"({"clip_embed_dim": -5})", ": field 'clip_embed_dim' is -5; allowed: null or an integer from 1 to 1048576"},
    {R"({"dropout": 1.5})", ": field 'dropout' is 1.5; allowed: a number from 0.0 to 1.0"},
    {R"({"dropout": true})", ": field 'dropout' is true; allowed: a number from 0.0 to 1.0"},
    {R"({"time_embed_act_fn": "tanh"})",
     R"(: field 'time_embed_act_fn' is "tanh"; allowed: "silu", "swish", "mish", "gelu", "relu")"},
    {R"({"time_embed_act_fn": "silu;gelu"})",
     R"(: field 'time_embed_act_fn' is "silu;gelu"; allowed: "silu", "swish", "mish", "gelu", "relu")"},
    {R"({"norm_in_type": "batch"})", R"(: field 'norm_in_type' is "batch"; allowed: null, "layer", "rms")"},
    {R"({"encoder_hid_proj_type": "conv"})", R"(: field 'encoder_hid_proj_type' is "conv"; allowed: null, "linear")"},
    {R"({"added_emb_type": "text"})", R"(: field 'added_emb_type' is "text"; allowed: null, "prd")"},
    {R"({"time_embedding": 0})", ": field 'time_embedding' is 0; allowed: true or false"},
    {R"({"quantization_config": {"quant_method": "bitsandbytes"}})",
     ": field 'quantization_config' is an object; allowed: null (nothing else is supported)"},
    {R"({"_class_name": "CLIPTextModel"})",
     R"(: field '_class_name' is "CLIPTextModel"; allowed: "PriorTransformer" (nothing else is supported))"},
    {R"({"num_layers": 3, "num_layers": 4})", ": the key 'num_layers' occurs twice"},
    {R"({"num_layers": )", ":1:16: is not well-formed JSON"},
    {"[1, 2]", ": is [1,2], not an object"},
    {"", ":1:1: is not well-formed JSON"},
};
constexpr refused refusals_of_encoders[] = {
    {R"({"model_type": "clip_text_model", "hidden_size": 0})",
     ": field 'hidden_size' is 0; allowed: an integer from 1 to 1048576"},
    {R"({"model_type": "clip_text_model", "hidden_act": "relu"})",
     R"(: field 'hidden_act' is "relu"; allowed: "quick_gelu", "gelu")"},
    {R"({"model_type": "clip_text_model", "hidden_size": 100})",
     ": hidden_size must be a multiple of num_attention_heads (got 100, limit 8)"},
    {R"({"architectures": ["CLIPModel"]})",
     R"(: field 'architectures' is ["CLIPModel"]; allowed: ["CLIPTextModel"], ["CLIPTextModelWithProjection"], null )"
     "(nothing else is supported)"},
};

template <class Config>
constexpr bool says(const refused& r) {
    return read_config<Config>(r.json).message.view() == r.message;
}
static_assert(std::ranges::all_of(refusals, says<PriorConfig>));
static_assert(std::ranges::all_of(refusals_of_encoders, says<CLIPTextConfig>));
static_assert(read_config<CLIPVisionConfig>(R"({"patch_size": "14"})").message.view() ==
              ": field 'patch_size' is \"14\"; allowed: an integer from 1 to 32768");
static_assert(read_config<CLIPVisionConfig>(R"({"model_type": "siglip"})").code == errc::unsupported);

TEST(cmake_config, messages_are_the_same_at_run_time) {
    for (const refused& r : refusals) EXPECT_EQ(read_config<PriorConfig>(r.json).message.view(), r.message) << r.json;
    for (const refused& r : refusals_of_encoders)
        EXPECT_EQ(read_config<CLIPTextConfig>(r.json).message.view(), r.message) << r.json;
}

} // namespace
