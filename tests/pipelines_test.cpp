// SPDX-License-Identifier: Apache-2.0
// Pipelines on the CPU: diffusers' recorded calls, what is refused, and what a caller can rely on.
#include "apriori/device/cpu/device.hpp"
#include "pipeline_cases.hpp"

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
    EXPECT_TRUE(model_testing::same_bits(one.values, other.values));
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
        EXPECT_TRUE(
            within(worst_of(alone.values, std::vector<float>(whole.values.begin() + static_cast<int>(t) * 24,
                                                             whole.values.begin() + static_cast<int>(t) * 24 + 24))));
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

} // namespace
