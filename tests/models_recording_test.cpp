// SPDX-License-Identifier: Apache-2.0
// The launches of a forward are those of its plan: nothing bypasses the core.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/recording.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "model_testing.hpp"

using namespace apriori;
using namespace model_testing;

namespace {

using device_type = recording<cpu<>>;

/// Appends the launches of a plan.
template <class Plan>
void append(std::vector<launch>& all, const Plan& plan) {
    ASSERT_GT(plan.size(), 0);
    for (int i = 0; i < plan.size(); ++i) all.push_back(plan[i]);
}

template <class Plan>
std::string text_of(const Plan& launches) {
    std::string s;
    for (const launch& l : launches) s += std::string(l.primitive) + " ";
    return s;
}

/// Three rows in chunks of two: the plan of two rows, then that of one.
template <PriorConfig Config, class Processors = every_layer<>>
void check(const prior_inputs& shape, mask_kind mask = mask_kind::absent) {
    using model_type = PriorTransformer<Config, device_type, f32, Processors>;
    cpu<> inner;
    device_type device(inner);
    const tensor_list tensors(Config);
    const auto model = model_type::load(device, io::synthetic_source(tensors.infos()));
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_TRUE(device.launches.empty()); // packing does not launch

    const prior_inputs in = randomize(Config, shape, mask, 7);
    ASSERT_TRUE(forward(*model, in, in.limits(2)).state.ok());
    std::vector<launch> planned;
    append(planned, model_type::plan(in.limits(2)));
    append(planned, model_type::plan(in.limits(1)));
    EXPECT_EQ(text_of(device.launches), text_of(planned));
    ASSERT_EQ(device.launches.size(), planned.size());
    for (std::size_t i = 0; i < planned.size(); ++i)
        EXPECT_TRUE(device.launches[i] == planned[i])
            << i << ": " << planned[i].primitive << " of " << planned[i].bytes << " bytes and " << planned[i].flops
            << " FLOP, made with " << device.launches[i].bytes << " and " << device.launches[i].flops;
}

constexpr PriorConfig small{
    .num_attention_heads = 3, .attention_head_dim = 4, .num_layers = 2, .embedding_dim = 6, .num_embeddings = 5};
const prior_inputs three_rows{.rows = 3, .text_tokens = 5};

} // namespace

TEST(models_recording, defaults) { check<small>(three_rows); }

TEST(models_recording, mask) { check<small>(three_rows, mask_kind::holes); }

TEST(models_recording, plain_attention) { check<small, every_layer<plain_attention>>(three_rows); }

TEST(models_recording, mask_with_plain_attention) {
    check<small, every_layer<plain_attention>>(three_rows, mask_kind::prefix);
}

TEST(models_recording, another_processor_for_each_layer) {
    check<small, by_name<attn_processor<"transformer_blocks.1.attn1.processor", sliced_attention<2>>,
                         attn_processor<"transformer_blocks.0.attn1.processor", fused_attention>>>(three_rows);
}

TEST(models_recording, norms_and_tokens) {
    constexpr PriorConfig config{.num_attention_heads = 2,
                                 .attention_head_dim = 4,
                                 .num_layers = 1,
                                 .embedding_dim = 6,
                                 .num_embeddings = 9,
                                 .additional_embeddings = 0,
                                 .norm_in_type = norm_type::rms,
                                 .embedding_proj_norm_type = norm_type::layer,
                                 .encoder_hid_proj_type = hid_proj_type::none,
                                 .added_emb_type = added_emb::none,
                                 .clip_embed_dim = 5};
    check<config>({.rows = 3, .hidden_tokens = 9, .proj_tokens = 4});
}

TEST(models_recording, post_process_is_one_launch) {
    cpu<> inner;
    device_type device(inner);
    const tensor_list tensors(small);
    const auto model = PriorTransformer<small, device_type>::load(device, io::synthetic_source(tensors.infos()));
    ASSERT_TRUE(model);
    std::vector<float> x(12);
    EXPECT_TRUE(model->post_process_latents(view<float, extents<dyn, 6>>(x.data(), extents<dyn, 6>(2))).ok());
    EXPECT_EQ(text_of(device.launches), "map ");
}
