// SPDX-License-Identifier: Apache-2.0
// Compiled with -ffast-math or a part of it, as some users do: diffusers' numbers, and errors for NaN and infinities.
#include "apriori/core/torch_random.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/pipelines/incremental_denoiser.hpp"
#include "apriori/pipelines/sampler.hpp"

#include <bit>
#include <string>
#include <vector>

#include <gtest/gtest.h>

using namespace apriori;

namespace {

using Prior = PriorTransformer<presets::digits, cpu<>>;
constexpr index_t samples = 3, dim = Prior::config.embedding_dim;
constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

class FastMath : public testing::Test {
protected:
    void SetUp() override {
        const auto weights = io::open_weights(folder_ + "/prior");
        const auto texts = io::open_weights(folder_ + "/conditions.safetensors");
        ASSERT_TRUE(weights.ok() && texts.ok());
        auto prior = Prior::load(device_, *weights);
        ASSERT_TRUE(prior.ok());
        prior_.emplace(*std::move(prior));
        const auto config = io::load_scheduler_config(folder_ + "/scheduler");
        ASSERT_TRUE(config.ok());
        ASSERT_TRUE(plan_schedule(*config, {.num_inference_steps = 12}, steps_).ok());
        for (const char* name : {"unconditional", "a handwritten three", "a wide handwritten zero", "seven"}) {
            auto prompt = io::read_prompt(*texts, name);
            ASSERT_TRUE(prompt.ok());
            prompts_.push_back(*std::move(prompt));
        }
    }
    result<void> draw(std::size_t prompt, torch_generator& random, float guidance, std::span<float> out) {
        const prior_prompt branches[] = {prompts_[0], prompts_[prompt]};
        auto denoiser = incremental_denoiser<Prior>::make(*prior_, branches, steps_.timesteps(), samples);
        if (!denoiser) return denoiser.error();
        std::vector<float> latents(out.size());
        random.randn(latents);
        return sample(*prior_, *denoiser, steps_, latents, [&](std::span<float> z) { random.randn(z); }, out,
                      {.guidance_scale = guidance});
    }

    std::string folder_ = APRIORI_DIGITS;
    cpu<> device_;
    std::optional<Prior> prior_;
    schedule steps_;
    std::vector<io::stored_prompt> prompts_;
};

/// Recorded by tests/reference/generate_digits.py.
TEST_F(FastMath, SamplesAreDiffusersSamples) {
    const auto file = io::open_weights(APRIORI_TEST_DATA "/cases/digits_sample.safetensors");
    ASSERT_TRUE(file.ok());
    const auto expected = io::read_tensor(*file, "image_embeds");
    ASSERT_TRUE(expected.ok());
    torch_generator random(42);
    for (std::size_t p = 1; p < prompts_.size(); ++p) {
        std::vector<float> got(to_size(samples * dim));
        ASSERT_TRUE(draw(p, random, 2.5f, got).ok());
        for (std::size_t i = 0; i < got.size(); ++i)
            ASSERT_NEAR(got[i], (*expected)[(p - 1) * got.size() + i], 1e-4) << p << ": " << i;
    }
}

TEST_F(FastMath, WhatIsNoNumberIsRefused) {
    std::vector<float> out(to_size(samples * dim));
    torch_generator random(0);
    for (const float guidance : {nan, inf, -inf}) {
        const auto refused = draw(1, random, guidance, out);
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().message, "guidance_scale must be a finite number");
    }
    for (const char* beta : {"NaN", "Infinity", "1e400"})
        EXPECT_FALSE(
            io::parse_scheduler_config(R"({"_class_name": "DDPMScheduler", "beta_start": )" + std::string(beta) + "}")
                .ok())
            << beta;
    std::vector<float> row(64, 1.0f);
    row[63] = nan;
    EXPECT_FALSE(detail::representable<w8>(row).ok());
}

/// A NaN in a prompt does not become a number.
TEST_F(FastMath, NanStaysNan) {
    std::fill(prompts_[1].text_embeds.begin(), prompts_[1].text_embeds.end(), nan);
    std::vector<float> out(to_size(samples * dim));
    torch_generator random(0);
    ASSERT_TRUE(draw(1, random, 2.5f, out).ok());
    for (const float x : out) ASSERT_TRUE(is_nan(x)) << x;
}

} // namespace
