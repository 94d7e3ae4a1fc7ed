// SPDX-License-Identifier: Apache-2.0
// Pipelines on the CPU: diffusers' recorded calls, errors, and guarantees to callers.
#include "apriori/device/cpu/device.hpp"
#include "eclipse_cases.hpp"

#include "apriori/core/philox.hpp"

using namespace pipeline_testing;

namespace {

#define EXPECT_FAILS(call, expected_code, part)                                                                        \
    do {                                                                                                               \
        const auto outcome = (call);                                                                                   \
        ASSERT_FALSE(outcome.ok());                                                                                    \
        EXPECT_EQ(outcome.error().code, expected_code);                                                                \
        EXPECT_NE(outcome.error().message.find(part), std::string::npos) << outcome.error().message;                   \
    } while (false)

constexpr std::string_view two_texts[] = {"a handwritten two", "a bold handwritten seven leaning left"};

TEST(Pipelines, UnclipGivesDiffusersEmbeddings) { check_unclip<cpu<>>(); }
TEST(Pipelines, KandinskyGivesDiffusersEmbeddings) { check_kandinsky<cpu<>>(); }
TEST(Pipelines, InterpolationGivesDiffusersEmbeddings) { check_interpolate<cpu<>>(); }
TEST(Pipelines, StableUnclipGivesDiffusersEmbeddings) { check_stable_unclip<cpu<>>(); }
TEST(Pipelines, ShapEGivesDiffusersLatents) { check_shap_e<cpu<>>(); }
TEST(Pipelines, EclipseGivesItsEmbeddings) { check_eclipse<cpu<>>(); }

TEST(Pipelines, GivenLatentsTakeThePlaceOfThoseDrawn) {
    const models<cpu<>> m;
    const auto pipeline = m.text_to_embedding();
    const embedding_options drawn{.num_inference_steps = 4, .num_images_per_prompt = 2};
    torch_generator a(5), b(5);
    std::vector<float> latents(4 * 12);
    b.randn(latents);
    embedding_options given = drawn;
    given.latents = latents;
    const auto one = value_of(pipeline(two_texts, a, drawn)), other = value_of(pipeline(two_texts, b, given));
    EXPECT_TRUE(model_testing::same_bits(one.image_embeds, other.image_embeds));
    given.latents = std::span(latents).first(24);
    EXPECT_FAILS(pipeline(two_texts, b, given), errc::shape_mismatch, "latents: 24 numbers are not 4 rows of 12");
}

TEST(Pipelines, ABatchIsWhatItsRowsAreAlone) { // with the same latents, and a scheduler that draws no noise
    const models<cpu<>> m;
    const apriori::text_to_embedding pipeline(m.tokenizer, m.text_encoder, m.prior,
                                              DDIMSchedulerConfig{.prediction_type = prediction_kind::sample});
    std::vector<float> latents(4 * 12);
    philox_generator random(3);
    random.randn(latents);
    embedding_options options{.num_inference_steps = 5, .num_images_per_prompt = 2, .latents = latents};
    const auto whole = value_of(pipeline(two_texts, random, options));
    for (std::size_t t = 0; t < 2; ++t) {
        options.latents = std::span(latents).subspan(t * 24, 24);
        const auto alone = value_of(pipeline(std::span(two_texts).subspan(t, 1), random, options));
        EXPECT_TRUE(within(worst_of(alone.image_embeds,
                                    std::vector<float>(whole.image_embeds.begin() + static_cast<int>(t) * 24,
                                                       whole.image_embeds.begin() + static_cast<int>(t) * 24 + 24))));
    }
}

TEST(Pipelines, ACallbackSeesEveryStepAndCanStop) {
    const models<cpu<>> m;
    const auto pipeline = m.text_to_embedding();
    torch_generator random(1);
    int steps = 0;
    embedding_options options{.num_inference_steps = 4, .latents_for_callback = true};
    options.callback_on_step_end = [&](const sampling_step& s) {
        EXPECT_EQ(s.index, steps++);
        EXPECT_EQ(s.latents.size(), 24U);
        return true;
    };
    ASSERT_TRUE(pipeline(two_texts, random, options).ok());
    EXPECT_EQ(steps, 4);
    options.callback_on_step_end = [](const sampling_step& s) { return s.index < 1; };
    EXPECT_FAILS(pipeline(two_texts, random, options), errc::cancelled, "stopped after step 2");
}

TEST(Pipelines, RefuseWhatTheyCannotDo) {
    const models<cpu<>> m;
    const auto pipeline = m.text_to_embedding();
    torch_generator random(0);
    EXPECT_FAILS(pipeline({}, random), errc::invalid_argument, "there is no text");
    EXPECT_FAILS(pipeline(two_texts, random, {.num_inference_steps = 0}), errc::invalid_argument,
                 "num_inference_steps");
    EXPECT_FAILS(pipeline(two_texts, random, {.num_images_per_prompt = 0}), errc::invalid_argument,
                 "num_images_per_prompt must be 1 or more, not 0");
    const std::string_view three[] = {"", "", ""};
    EXPECT_FAILS(pipeline(two_texts, random, {.negative_prompt = three}), errc::invalid_argument,
                 "negative_prompt has 3 texts for 2");
    const std::vector<float> five(5 * 12);
    EXPECT_FAILS(pipeline(two_texts, random, {}, {five}), errc::shape_mismatch, "image embeddings: 60 numbers");
    EXPECT_FAILS(pipeline(two_texts, random, {}, {std::span(five).first(12), 0.01}), errc::invalid_argument,
                 "strength");
    EXPECT_FAILS(pipeline(two_texts, random, {.guidance_scale = std::numeric_limits<float>::infinity()}),
                 errc::invalid_argument, "guidance_scale must be a finite number");
}

TEST(Pipelines, KandinskyRefusesWhatItCannotDo) {
    const models<cpu<>> m;
    const auto pipeline = m.kandinsky();
    torch_generator random(0);
    const std::string_view one[] = {"bold"};
    EXPECT_FAILS(pipeline(two_texts, random, {.negative_prompt = one}), errc::invalid_argument,
                 "negative_prompt has 1 texts for 2");
    EXPECT_FAILS(pipeline.interpolate({}, random), errc::invalid_argument, "nothing to interpolate");
    const std::vector<float> eleven(11), none;
    const weighted_condition conditions[] = {{image_embeds{eleven}, 1.0f}};
    EXPECT_FAILS(pipeline.interpolate(conditions, random), errc::shape_mismatch,
                 "image embedding: has 11 numbers, the prior's embedding_dim is 12");
    EXPECT_FAILS(pipeline.interpolate(conditions, random, {.num_images_per_prompt = 0}), errc::invalid_argument,
                 "num_images_per_prompt must be 1 or more");
    EXPECT_FAILS(pipeline.interpolate(conditions, random, {.negative_prompt = one}), errc::invalid_argument,
                 "interpolation_options");
    EXPECT_FAILS(pipeline.emb2emb(two_texts, image_embeds{eleven}, 0.5, random), errc::shape_mismatch, "rows of 12");
    EXPECT_FAILS(pipeline.emb2emb(two_texts, image_embeds{none}, 0.5, random), errc::shape_mismatch, "rows of 12");
    EXPECT_FAILS(pipeline.emb2emb(two_texts, image_pixels{eleven}, 0.5, random), errc::shape_mismatch, "pixel_values");
    const auto embeds = recorded("embeds");
    for (const double strength : {0.0, -1.0, 1.01, 0.01, std::numeric_limits<double>::quiet_NaN()})
        EXPECT_FAILS(pipeline.emb2emb(two_texts, image_embeds{embeds}, strength, random), errc::invalid_argument,
                     "strength");
}

TEST(Pipelines, NoiseImageEmbeddingsRefusesWhatItCannotDo) {
    const DDPMScheduler scheduler(DDPMSchedulerConfig{});
    const std::vector<float> values(6, 1.0f);
    torch_generator random(0);
    const image_normalizer two{std::span(values).first(2), std::span(values).first(2)};
    EXPECT_EQ(value_of(noise_image_embeddings(values, two, scheduler, 999, random)).size(), 12U);
    EXPECT_FAILS(noise_image_embeddings(std::span(values).first(3), two, scheduler, 0, random), errc::shape_mismatch,
                 "3 numbers are not rows of the normalizer's 2 means and 2 deviations");
    EXPECT_FAILS(noise_image_embeddings(values, {}, scheduler, 0, random), errc::shape_mismatch, "0 means");
    for (const int level : {-1, 1000})
        EXPECT_FAILS(noise_image_embeddings(values, two, scheduler, level, random), errc::invalid_argument, "timestep");
}

TEST(Pipelines, ShapERefusesWhatItCannotDo) {
    models<cpu<>> m;
    const shap_e_prior pipeline(load<PriorTransformer<shap_e_config, cpu<>>>(m.device, "shap_e_prior"),
                                load_scheduler("shap_e_scheduler"));
    torch_generator random(0);
    const auto run = [&](const shap_e_options& options) {
        return pipeline.from_texts(m.tokenizer, m.text_encoder, two_texts, random, options);
    };
    EXPECT_FAILS(run({.num_inference_steps = 0}), errc::invalid_argument, "num_inference_steps");
    EXPECT_FAILS(run({.num_images_per_prompt = 0}), errc::invalid_argument, "num_images_per_prompt");
    const std::vector<float> few(3);
    EXPECT_FAILS(run({.latents = few}), errc::shape_mismatch, "latents");
    EXPECT_FAILS(pipeline.from_texts(m.tokenizer, m.text_encoder, {}, random), errc::invalid_argument, "no text");
}

TEST(Pipelines, EclipseRefusesWhatItCannotDo) {
    models<cpu<>> m;
    const auto pipeline = eclipse_pipeline(m);
    torch_generator random(0), again(0);
    std::vector<float> latents(2 * 12);
    again.randn(latents);
    EXPECT_TRUE(model_testing::same_bits(
        value_of(pipeline(two_texts, random)).image_embeds,
        value_of(pipeline(two_texts, again, eclipse_options{.latents = latents})).image_embeds));
    EXPECT_FAILS(pipeline({}, random), errc::invalid_argument, "there is no text");
    EXPECT_FAILS(pipeline(two_texts, random, {.num_images_per_prompt = 0}), errc::invalid_argument,
                 "num_images_per_prompt must be 1 or more, not 0");
    EXPECT_FAILS(pipeline(two_texts, random, {.num_images_per_prompt = 2, .latents = latents}), errc::shape_mismatch,
                 "latents: 24 numbers are not 4 rows of 12");
    const apriori::text_to_embedding steps(m.tokenizer, m.text_encoder, pipeline.prior(),
                                           load_scheduler("prior_scheduler"));
    EXPECT_FAILS(steps(two_texts, random), errc::unsupported, "use eclipse_prior");
}

TEST(Pipelines, BestOfKeepsTheMostLike) {
    const image_embeddings made{.rows = 6,
                                .width = 2,
                                .image_embeds = {1, 0, 2, 2, -1, 9, /**/ 0, 0, -1, 1, -3, 3},
                                .text_embeds = {1, 1, /**/ -5, 5},
                                .cut = {0, 0}};
    const auto one = value_of(best_of(made));
    EXPECT_EQ(one.rows, 2);
    EXPECT_EQ(one.image_embeds, (std::vector<float>{2, 2, /**/ -1, 1}));
    EXPECT_EQ(value_of(best_of(made, 2)).image_embeds, (std::vector<float>{2, 2, 1, 0, /**/ -1, 1, -3, 3}));
    EXPECT_FAILS(best_of(made, 4), errc::invalid_argument, "keep is 4; allowed: 1 to 3");
    EXPECT_FAILS(best_of(made, 0), errc::invalid_argument, "keep is 0");
    image_embeddings other = made;
    other.text_embeds.resize(6);
    EXPECT_FAILS(best_of(other), errc::shape_mismatch, "6 numbers are not text embeddings");
    other.cut.clear();
    EXPECT_FAILS(best_of(other), errc::shape_mismatch, "of 0 texts");
}

} // namespace
