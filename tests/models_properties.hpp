// SPDX-License-Identifier: Apache-2.0
// Configurations that no reference case has, with random inputs of every kind; a device is compared with the slow
// oracle.
#pragma once

#include "prior_oracle.hpp"

#include "apriori/io/synthetic_source.hpp"

#include <cstdio>

namespace model_testing {

namespace odd {

using enum apriori::activation;
using apriori::added_emb;
using apriori::hid_proj_type;
using apriori::norm_type;

/// An odd width, so that the time embedding ends in a zero, and rms norms.
inline constexpr PriorConfig width_15{.num_attention_heads = 3,
                                      .attention_head_dim = 5,
                                      .num_layers = 2,
                                      .embedding_dim = 6,
                                      .num_embeddings = 5,
                                      .norm_in_type = norm_type::rms,
                                      .embedding_proj_norm_type = norm_type::rms,
                                      .embedding_proj_dim = 7};
/// Heads of one channel. The projected kv cache has three tokens, as many as additional_embeddings allow.
inline constexpr PriorConfig heads_of_1{.num_attention_heads = 3,
                                        .attention_head_dim = 1,
                                        .num_layers = 2,
                                        .embedding_dim = 3,
                                        .num_embeddings = 6,
                                        .additional_embeddings = 6,
                                        .time_embed_act_fn = mish,
                                        .norm_in_type = norm_type::layer,
                                        .embedding_proj_norm_type = norm_type::rms,
                                        .clip_embed_dim = 9};
/// Heads of more than 64 channels, one layer, more text than one register holds.
inline constexpr PriorConfig heads_of_80{.num_attention_heads = 2,
                                         .attention_head_dim = 80,
                                         .num_layers = 1,
                                         .embedding_dim = 33,
                                         .num_embeddings = 19,
                                         .time_embed_act_fn = gelu,
                                         .norm_in_type = norm_type::rms,
                                         .clip_embed_dim = 50};
/// Every width that can be 1 is 1.
inline constexpr PriorConfig ones{.num_attention_heads = 1,
                                  .attention_head_dim = 4,
                                  .num_layers = 1,
                                  .embedding_dim = 1,
                                  .num_embeddings = 1,
                                  .embedding_proj_norm_type = norm_type::layer,
                                  .time_embed_dim = 1,
                                  .clip_embed_dim = 1};
/// No projection of the text, which is as wide as the model, and no prd.
inline constexpr PriorConfig inner_wide_text{.num_attention_heads = 2,
                                             .attention_head_dim = 9,
                                             .num_layers = 3,
                                             .embedding_dim = 11,
                                             .num_embeddings = 10,
                                             .additional_embeddings = 3,
                                             .time_embed_act_fn = relu,
                                             .encoder_hid_proj_type = hid_proj_type::none,
                                             .added_emb_type = added_emb::none,
                                             .time_embed_dim = 5};
/// A table of positions for hidden_states only: padded with zeros before it, and after it for prd.
inline constexpr PriorConfig padded_positions{.num_attention_heads = 5,
                                              .attention_head_dim = 4,
                                              .num_layers = 2,
                                              .embedding_dim = 13,
                                              .num_embeddings = 6,
                                              .additional_embeddings = 2,
                                              .norm_in_type = norm_type::layer};
/// The narrowest model: its time embedding is too narrow for a sine, and a sequence has three tokens.
inline constexpr PriorConfig width_1{.num_attention_heads = 1,
                                     .attention_head_dim = 1,
                                     .num_layers = 1,
                                     .embedding_dim = 2,
                                     .num_embeddings = 0,
                                     .additional_embeddings = 3,
                                     .encoder_hid_proj_type = hid_proj_type::none,
                                     .added_emb_type = added_emb::none};
/// No time embedding: one pass.
inline constexpr PriorConfig one_pass{.num_attention_heads = 3,
                                      .attention_head_dim = 7,
                                      .num_layers = 2,
                                      .embedding_dim = 9,
                                      .num_embeddings = 11,
                                      .additional_embeddings = 4,
                                      .norm_in_type = norm_type::layer,
                                      .time_embedding = false};

} // namespace odd

/// Registers the test models_properties.<configuration> for each, on a default-constructed device.
template <class Device>
class property_tests {
public:
    property_tests() {
        add<odd::width_15>("width_15", {.text_tokens = 5});
        add<odd::heads_of_1>("heads_of_1", {.proj_tokens = 3, .text_tokens = 6});
        add<odd::heads_of_80>("heads_of_80", {.text_tokens = 19});
        add<odd::ones>("ones", {.text_tokens = 1});
        add<odd::inner_wide_text>("inner_wide_text", {.text_tokens = 10});
        add<odd::padded_positions>("padded_positions", {.hidden_tokens = 8, .text_tokens = 4});
        add<odd::width_1>("width_1", {});
        add<odd::one_pass>("one_pass", {.proj_tokens = 2, .text_tokens = 11});
    }

private:
    template <PriorConfig Config>
    struct property : testing::Test {
        explicit property(prior_inputs shape) : shape_(std::move(shape)) {}
        void TestBody() override {
            Device device;
            check<Config>(device, shape_);
        }
        prior_inputs shape_;
    };

    template <PriorConfig Config>
    static void add(const char* name, const prior_inputs& shape) {
        testing::RegisterTest("models_properties", name, nullptr, nullptr, __FILE__, __LINE__,
                              [shape]() -> testing::Test* { return new property<Config>(shape); });
    }

    /// Batches of 1 to 4 rows under every mask that the configuration takes.
    template <PriorConfig Config>
    static void check(Device& device, prior_inputs shape) {
        using model_type = apriori::PriorTransformer<Config, Device>;
        const apriori::tensor_list tensors(Config);
        const apriori::io::synthetic_source source(tensors.infos());
        const auto model = model_type::load(device, source);
        ASSERT_TRUE(model) << model.error().message;
        const prior_oracle oracle(Config, source);

        shape.rows = 1;
        const index_t tokens = shape.text_tokens + shape.proj_tokens + (Config.time_embedding ? 1 : 0) +
                               shape.hidden_tokens + (Config.added_emb_type == odd::added_emb::prd ? 1 : 0);
        const bool takes_mask = tokens == Config.positions() && Config.num_embeddings > 0;
        double worst = 0;
        unsigned seed = 1;
        for (const mask_kind mask : mask_kinds) {
            if (mask != mask_kind::absent && !takes_mask) continue;
            for (shape.rows = 1; shape.rows <= 4; ++shape.rows, ++seed) {
                SCOPED_TRACE("mask " + std::to_string(static_cast<int>(mask)) + ", seed " + std::to_string(seed));
                const prior_inputs in = randomize(Config, shape, mask, seed);
                const outcome y = forward(*model, in);
                ASSERT_TRUE(y.state.ok()) << apriori::to_failure(y.state).message;
                const worst_element w = worst_of(y.values, oracle(in));
                EXPECT_TRUE(within(w));
                worst = std::max(worst, w.of(tolerance));
            }
        }
        check_post_process(*model, oracle);
        std::printf("%s: %u forwards, at most %.0f %% of the tolerance\n", Device::name, seed - 1, 100 * worst);
    }

    template <class Model>
    static void check_post_process(const Model& model, const prior_oracle& oracle) {
        auto& device = model.device();
        std::vector<float> latents = random_inputs(99).numbers(3 * Model::clip);
        const on_device<Device, float> x(device, latents);
        const auto expected = oracle.post_process_latents(latents);
        using extents = apriori::extents<apriori::dyn, Model::clip>;
        EXPECT_TRUE(model.post_process_latents(apriori::view<float, extents>(x.data(), extents(3))).ok());
        EXPECT_TRUE(device.synchronize().ok());
        EXPECT_TRUE(device.download(latents.data(), x.data(), latents.size() * sizeof(float)).ok());
        EXPECT_TRUE(within(worst_of(latents, expected), 1e-6));
    }
};

} // namespace model_testing
