// SPDX-License-Identifier: Apache-2.0
// Sampling in the caller's memory gives the results of the denoisers and of the sampler, without the heap, in the
// number of bytes that was promised.
#include "allocation_counter.hpp"
#include "apriori/core/torch_random.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/pipelines/in_place_sampler.hpp"
#include "apriori/pipelines/incremental_denoiser.hpp"
#include "apriori/pipelines/sampler.hpp"
#include "apriori/schedulers/ddpm.hpp"
#include "apriori/schedulers/dpmsolver_multistep.hpp"
#include "apriori/schedulers/heun.hpp"
#include "apriori/schedulers/unclip.hpp"
#include "model_testing.hpp"

using namespace apriori;
using namespace model_testing;

namespace {

using device_type = cpu<>;

constexpr PriorConfig plain{
    .num_attention_heads = 3, .attention_head_dim = 20, .num_layers = 3, .embedding_dim = 44, .num_embeddings = 13};

/// A model with synthetic weights, and prompts for it.
template <PriorConfig C>
struct example {
    using model_type = PriorTransformer<C, device_type>;
    device_type device;
    model_type model;
    prior_inputs inputs;

    explicit example(index_t prompts, mask_kind mask = mask_kind::holes)
        : model(load(device)),
          inputs(randomize(C, {.rows = prompts, .text_tokens = C.num_embeddings}, mask, unsigned(prompts))) {}

    static model_type load(device_type& d) {
        const tensor_list tensors(C);
        auto m = model_type::load(d, io::synthetic_source(tensors.infos()));
        EXPECT_TRUE(m.ok());
        return std::move(*m);
    }
    std::vector<prior_prompt> prompts() const {
        std::vector<prior_prompt> list;
        const auto row = [&](const auto& v, index_t r) {
            const index_t n = std::ssize(v) / inputs.rows;
            return part(v, r * n, n);
        };
        for (index_t r = 0; r < inputs.rows; ++r)
            list.push_back(
                {row(inputs.proj_embedding, r), row(inputs.encoder_hidden_states, r), row(inputs.attention_mask, r)});
        return list;
    }
};

/// Compares steps with one or more prompts with the full forward of the same latents.
template <PriorConfig C>
void equals_forward() {
    for (const mask_kind mask : mask_kinds) {
        if (mask == mask_kind::absent) continue;
        for (const index_t count : {1, 2, 3}) {
            SCOPED_TRACE(testing::Message() << "mask " << int(mask) << ", " << count << " prompts");
            example<C> e(count, mask);
            using prior = in_place_prior<typename example<C>::model_type>;
            const in_place_limits l{.prompts = count, .rows = index_t(mask) % 4 * 2}; // 0: all prompts; 6: two prompts
            const host_buffer memory(prior::bytes(l));
            prior p(e.model, memory.span(), l);
            const status there = p.prefix(e.prompts());
            ASSERT_TRUE(there.ok()) << there.what;
            for (const float timestep : {999.0f, 12.5f}) {
                prior_inputs x = e.inputs;
                x.timestep = {timestep};
                const index_t width = C.embedding_dim;
                for (index_t r = 1; r < count; ++r) // all prompts denoise the same latents
                    std::copy_n(x.hidden_states.begin(), width, x.hidden_states.begin() + r * width);
                const outcome whole = forward(e.model, x);
                ASSERT_TRUE(whole.state.ok()) << whole.state.what;
                std::vector<float> answers(whole.values.size(), -7.0f);
                const status s = p.step(part(x.hidden_states, 0, width), timestep, answers);
                ASSERT_TRUE(s.ok()) << s.what;
                EXPECT_TRUE(within(worst_of(answers, whole.values)));
            }
        }
    }
}
TEST(InPlace, EqualsForward) { equals_forward<plain>(); }
TEST(InPlace, EqualsForwardOfOneLayer) {
    equals_forward<PriorConfig{
        .num_attention_heads = 1, .attention_head_dim = 7, .num_layers = 1, .embedding_dim = 9, .num_embeddings = 5}>();
}
TEST(InPlace, EqualsForwardWithNormsAndDimensions) {
    equals_forward<PriorConfig{.num_attention_heads = 2,
                               .attention_head_dim = 16,
                               .num_layers = 2,
                               .embedding_dim = 24,
                               .num_embeddings = 6,
                               .time_embed_act_fn = activation::mish,
                               .norm_in_type = norm_type::layer,
                               .embedding_proj_norm_type = norm_type::rms,
                               .time_embed_dim = 10,
                               .embedding_proj_dim = 12,
                               .clip_embed_dim = 11}>();
}
TEST(InPlace, EqualsForwardWithoutPrd) {
    equals_forward<PriorConfig{.num_attention_heads = 2,
                               .attention_head_dim = 8,
                               .num_layers = 2,
                               .embedding_dim = 10,
                               .num_embeddings = 6,
                               .additional_embeddings = 3,
                               .added_emb_type = added_emb::none}>();
}
TEST(InPlace, EqualsForwardWithTextAsItIs) {
    equals_forward<PriorConfig{.num_attention_heads = 2,
                               .attention_head_dim = 8,
                               .num_layers = 2,
                               .embedding_dim = 10,
                               .num_embeddings = 6,
                               .encoder_hid_proj_type = hid_proj_type::none}>();
}

/// Compares the in-place sampler with the sampler, and checks that it does not allocate.
template <PriorConfig C>
void samples_as_the_sampler_does(const auto& schedule, float guidance_scale) {
    const index_t branches = uses_guidance(guidance_scale) ? 2 : 1;
    example<C> e(branches);
    const auto prompts = e.prompts();
    std::vector<float> latents(C.embedding_dim), expected(latents.size()), got(latents.size());
    torch_generator(7).randn(latents);

    auto denoiser = incremental_denoiser<decltype(e.model)>::make(e.model, prompts, schedule.timesteps(), 1);
    ASSERT_TRUE(denoiser.ok());
    torch_generator noise(1);
    const auto done = sample(e.model, *denoiser, schedule, latents, [&](std::span<float> z) { noise.randn(z); },
                             expected, {.guidance_scale = guidance_scale});
    ASSERT_TRUE(done.ok()) << done.error().message;

    using sampler = in_place_sampler<decltype(e.model)>;
    constexpr in_place_limits most{.prompts = 2};
    static_assert(sampler_bytes<decltype(e.model)>(most) == sampler::bytes(most));
    alignas(buffer_alignment) static std::byte memory[sampler_bytes<decltype(e.model)>(most) + buffer_alignment];
    std::fill(std::begin(memory), std::end(memory), std::byte{0x5a});
    allocations = 0;
    sampler s(e.model, std::span(memory).first(sampler::bytes(most)), most);
    for (int run = 0; run < 2; ++run) { // the second prompts replace the first
        noise.manual_seed(1);
        status state = s.prefix(prompts);
        if (state)
            state = s.sample(schedule, latents, [&](std::span<float> z) { noise.randn(z); }, got, guidance_scale);
        EXPECT_EQ(allocations, 0);
        ASSERT_TRUE(state.ok()) << state.what;
        EXPECT_TRUE(within(worst_of(got, expected)));
    }
    // not written past the end
    for (const std::byte b : std::span(memory).last(buffer_alignment)) EXPECT_EQ(b, std::byte{0x5a});
}
TEST(InPlace, SamplesWithGuidance) {
    samples_as_the_sampler_does<plain>(constexpr_schedule<25>(UnCLIPSchedulerConfig{
                                           .clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample}),
                                       4.0f);
}
TEST(InPlace, SamplesWithoutGuidance) {
    samples_as_the_sampler_does<plain>(constexpr_schedule<5>(DDPMSchedulerConfig{}), 1.0f);
}
TEST(InPlace, SamplesWithHistories) {
    samples_as_the_sampler_does<plain>(constexpr_schedule<6>(DPMSolverMultistepSchedulerConfig{.solver_order = 3}),
                                       2.0f);
    samples_as_the_sampler_does<plain>(constexpr_schedule<4>(HeunDiscreteSchedulerConfig{}), 2.0f);
}
TEST(InPlace, SamplesWithALearnedVariance) {
    constexpr PriorConfig twice{.num_attention_heads = 2,
                                .attention_head_dim = 8,
                                .num_layers = 2,
                                .embedding_dim = 10,
                                .num_embeddings = 6,
                                .clip_embed_dim = 20};
    samples_as_the_sampler_does<twice>(
        constexpr_schedule<5>(UnCLIPSchedulerConfig{.variance_type = variance_kind::learned_range}), 3.0f);
    samples_as_the_sampler_does<twice>(constexpr_schedule<5>(DDPMSchedulerConfig{}), 3.0f);
}

TEST(InPlace, NeedsTheRowsOfItsPromptsAlone) {
    example<plain> e(2, mask_kind::holes);
    using prior = in_place_prior<decltype(e.model)>;
    const auto prompts = e.prompts();
    index_t rows = 2;
    for (const auto m : e.inputs.attention_mask) rows += m != 0;
    const in_place_limits enough{.prompt_rows = rows}, less{.prompt_rows = rows - 1};
    EXPECT_LT(prior::bytes(enough), prior::bytes({}));
    const host_buffer memory(prior::bytes(enough));
    prior p(e.model, memory.span(), enough);
    EXPECT_TRUE(p.prefix(prompts).ok());
    prior q(e.model, memory.span(), less);
    const status s = q.prefix(prompts);
    EXPECT_EQ(s.code, errc::workspace_too_small);
    EXPECT_STREQ(s.what, "prefix: the prompts have more rows than limits.prompt_rows");
    EXPECT_EQ(s.got, rows);
    EXPECT_EQ(s.limit, rows - 1);
    std::vector<float> answers(2 * 44);
    EXPECT_STREQ(q.step(part(e.inputs.hidden_states, 0, 44), 5, answers).what,
                 "step: there is no prefix; prefix() comes first");
}

TEST(InPlace, RefusesWhatDoesNotFit) {
    example<plain> e(3);
    using sampler = in_place_sampler<decltype(e.model)>;
    const auto prompts = e.prompts();
    const auto two = std::span(prompts).first(2);
    const in_place_limits l{};
    const host_buffer memory(sampler::bytes(l) + 1);
    const auto schedule = constexpr_schedule<3>(DDPMSchedulerConfig{});
    std::vector<float> latents(44), out(44);
    const auto noise = [](std::span<float> z) { std::fill(z.begin(), z.end(), 0.0f); };

    sampler small(e.model, memory.span().first(sampler::bytes(l) - 1), l);
    EXPECT_EQ(small.prefix(two).code, errc::workspace_too_small);
    EXPECT_EQ(small.sample(schedule, latents, noise, out).code, errc::workspace_too_small);
    EXPECT_EQ(sampler(e.model, {}, l).prefix(two).code, errc::workspace_too_small);
    EXPECT_EQ(sampler(e.model, memory.span().subspan(1), l).prefix(two).code, errc::invalid_argument);
    EXPECT_EQ(sampler(e.model, memory.span(), {.prompts = 0}).prefix(two).code, errc::invalid_argument);

    sampler s(e.model, memory.span(), l);
    EXPECT_EQ(s.sample(schedule, latents, noise, out).code, errc::invalid_argument); // no prompts
    EXPECT_EQ(s.prefix({}).code, errc::invalid_argument);
    EXPECT_EQ(s.prefix(prompts).code, errc::invalid_argument); // three prompts, but the limit is two
    auto bad = std::vector<prior_prompt>(two.begin(), two.end());
    bad[1].attention_mask = {};
    EXPECT_EQ(s.prefix(bad).code, errc::invalid_argument);
    bad = {two.begin(), two.end()};
    bad[0].text_embeds = bad[0].text_embeds.first(43);
    EXPECT_EQ(s.prefix(bad).code, errc::shape_mismatch);
    bad = {two.begin(), two.end()};
    bad[0].last_hidden_state = bad[0].last_hidden_state.first(44);
    EXPECT_EQ(s.prefix(bad).code, errc::shape_mismatch);
    EXPECT_EQ(s.sample(schedule, latents, noise, out).code, errc::invalid_argument); // no prompts after an error

    ASSERT_TRUE(s.prefix(two).ok());
    EXPECT_TRUE(s.sample(schedule, latents, noise, out).ok());
    EXPECT_EQ(s.sample(schedule, latents, noise, out, 1.0f).code, errc::invalid_argument); // takes only one prompt
    EXPECT_EQ(s.sample(schedule, latents, noise, out, std::numeric_limits<float>::infinity()).code,
              errc::invalid_argument);
    EXPECT_EQ(s.sample(schedule, std::span(latents).first(43), noise, out).code, errc::shape_mismatch);
    EXPECT_EQ(s.sample(schedule, latents, noise, std::span(out).first(43)).code, errc::shape_mismatch);
    EXPECT_EQ(s.sample(constexpr_schedule<3>(UnCLIPSchedulerConfig{.variance_type = variance_kind::learned_range}),
                       latents, noise, out)
                  .code,
              errc::shape_mismatch); // the model has no second half
}

} // namespace
