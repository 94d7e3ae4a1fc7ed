// SPDX-License-Identifier: Apache-2.0
// UnCLIPScheduler: timesteps, coefficients at their limits, steps on the host, and every error.
#include "apriori/schedulers/unclip.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace apriori {
namespace {

constexpr UnCLIPSchedulerConfig karlo{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample};

static_assert(scheduler<UnCLIPScheduler> && scheduler<schedule> && scheduler<static_schedule<4>>);
static_assert(!scheduler<UnCLIPSchedulerConfig>);
static_assert(scheduler_config<UnCLIPSchedulerConfig>);

// The schedule for a number of steps that is known at compile time is a constant.
constexpr auto twenty_five = constexpr_schedule<25>(karlo);
static_assert(twenty_five.steps().size() == 25 && twenty_five.history_slots() == 0);
static_assert(twenty_five.timesteps().front() == 999.0f && twenty_five.timesteps().back() == 0.0f);
// Not 1: diffusers divides beta by a rounded 1 - (1 - beta).
static_assert(math::abs(twenty_five.steps().back().to_x0 - 1.0f) < 1e-3 &&
              twenty_five.steps().back().to_sample == 0.0f);
static_assert(!twenty_five.steps().back().draws_noise && twenty_five.steps().front().draws_noise);

std::vector<float> timesteps(int n) {
    UnCLIPScheduler s(karlo);
    EXPECT_TRUE(s.set_timesteps(n).ok());
    return {s.timesteps().begin(), s.timesteps().end()};
}

TEST(UnCLIPScheduler, TimestepsRoundHalvesToEven) {
    EXPECT_EQ(timesteps(7), (std::vector<float>{999, 832, 666, 500, 333, 166, 0})); // 832.5, 499.5 and 166.5
    EXPECT_EQ(timesteps(3), (std::vector<float>{999, 500, 0}));                     // 499.5
    EXPECT_EQ(timesteps(2), (std::vector<float>{999, 0}));
    EXPECT_EQ(timesteps(1), (std::vector<float>{999}));
    const auto all = timesteps(1000);
    for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], 999.0f - static_cast<float>(i));
}

TEST(UnCLIPScheduler, ConstantAndPlannedSchedulesAreTheSameBits) {
    UnCLIPScheduler s(karlo);
    ASSERT_TRUE(s.set_timesteps(25).ok());
    ASSERT_EQ(s.steps().size(), twenty_five.steps().size());
    for (std::size_t i = 0; i < s.steps().size(); ++i) EXPECT_EQ(s.steps()[i], twenty_five.steps()[i]) << i;
}

TEST(UnCLIPScheduler, OneStepGoesStraightToX0) {
    UnCLIPScheduler s(karlo);
    ASSERT_TRUE(s.set_timesteps(1).ok());
    const step_coefficients& c = s.steps()[0];
    EXPECT_EQ(c.to_x0, 1.0f);
    EXPECT_EQ(c.to_sample, 0.0f);
    EXPECT_LE(c.noise, 1.1e-10f);
}

TEST(UnCLIPScheduler, OneStepWithLearnedVarianceIsFinite) {
    UnCLIPScheduler s({.variance_type = variance_kind::learned_range, .prediction_type = prediction_kind::sample});
    ASSERT_TRUE(s.set_timesteps(1).ok());
    const std::array<float, 4> output{0.25f, -0.5f, 1.0f, -1.0f}; // variances at both ends of the range
    const std::array<float, 2> sample{1.0f, 2.0f}, noise{0.0f, 3.0f};
    std::array<float, 2> next{};
    ASSERT_TRUE(apply_step(s.steps()[0], {.output = output, .sample = sample, .noise = noise, .next = next}, 2).ok());
    EXPECT_EQ(next[0], 0.25f);
    EXPECT_NEAR(next[1], -0.5f, 1e-8f);
}

TEST(UnCLIPScheduler, LeavingOutTheFirstStepsKeepsTheOthers) {
    UnCLIPScheduler all(karlo), some(karlo);
    ASSERT_TRUE(all.set_timesteps(10).ok() && some.set_timesteps(10, 4).ok());
    ASSERT_EQ(some.steps().size(), 6u);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(some.steps()[i], all.steps()[i + 4]);
}

TEST(UnCLIPScheduler, AbsentPreviousTimestepIsTheOneBefore) {
    UnCLIPScheduler s(karlo);
    step_coefficients absent, given, skipping;
    ASSERT_TRUE(s.coefficients(500, {}, absent).ok() && s.coefficients(500, 499, given).ok());
    ASSERT_TRUE(s.coefficients(500, 400, skipping).ok());
    EXPECT_EQ(absent, given);
    EXPECT_GT(skipping.to_x0, given.to_x0); // a longer step gives the prediction more weight
    ASSERT_TRUE(s.coefficients(0, {}, absent).ok());
    EXPECT_FALSE(absent.draws_noise);
}

TEST(UnCLIPScheduler, StepClipsAndLeavesOutputInRows) {
    UnCLIPScheduler s({.clip_sample_range = 2.0f, .prediction_type = prediction_kind::sample});
    const std::array<float, 4> output{9.0f, -9.0f, 1.0f, 0.0f}, sample{1.0f, 1.0f, 1.0f, 1.0f};
    std::array<float, 4> out{};
    ASSERT_TRUE(s.step(output, 0, sample, {}, {}, out, 2).ok());
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(out[i], (std::array{2.0f, -2.0f, 1.0f, 0.0f})[i], 2e-3f) << i;
    std::array<float, 4> in_place = sample;
    ASSERT_TRUE(s.step(output, 0, in_place, {}, {}, in_place, 4).ok());
    EXPECT_EQ(in_place, out);
}

TEST(UnCLIPScheduler, ANanIsNotClippedAway) {
    UnCLIPScheduler s(karlo);
    const std::array<float, 1> output{std::numeric_limits<float>::quiet_NaN()}, sample{0.0f};
    std::array<float, 1> out{};
    ASSERT_TRUE(s.step(output, 0, sample, {}, {}, out, 1).ok());
    EXPECT_TRUE(std::isnan(out[0]));
}

TEST(UnCLIPScheduler, AddNoiseKeepsTheVariance) {
    UnCLIPScheduler s(karlo);
    const std::array<float, 1> one{1.0f}, zero{0.0f};
    std::array<float, 1> signal{}, level{};
    for (const int t : {0, 500, 999}) {
        ASSERT_TRUE(s.add_noise(one, zero, t, signal).ok() && s.add_noise(zero, one, t, level).ok());
        EXPECT_NEAR(signal[0] * signal[0] + level[0] * level[0], 1.0f, 1e-6f);
        EXPECT_EQ(signal[0], std::sqrt(s.levels().alphas_cumprod[static_cast<std::size_t>(t)]));
    }
    EXPECT_FALSE(s.add_noise(one, zero, 1000, signal).ok());
    EXPECT_FALSE(s.add_noise(one, zero, -1, signal).ok());
    EXPECT_FALSE(s.add_noise(one, {}, 3, signal).ok());
}

TEST(UnCLIPScheduler, RefusesNumbersOfSteps) {
    UnCLIPScheduler s(karlo);
    ASSERT_TRUE(s.set_timesteps(5).ok());
    for (const int n : {0, -1, 1001}) {
        const status refused = s.set_timesteps(n);
        EXPECT_EQ(refused.code, errc::invalid_argument);
        EXPECT_EQ(refused.got, n);
        EXPECT_EQ(s.steps().size(), 5u) << "the last good plan stays";
    }
    EXPECT_FALSE(s.set_timesteps(5, 5).ok());
    EXPECT_FALSE(s.set_timesteps(5, -1).ok());
}

TEST(UnCLIPScheduler, RefusesTimesteps) {
    UnCLIPScheduler s(karlo);
    step_coefficients c;
    EXPECT_FALSE(s.coefficients(1000, {}, c).ok());
    EXPECT_FALSE(s.coefficients(-1, {}, c).ok());
    EXPECT_FALSE(s.coefficients(10, 10, c).ok());
    EXPECT_FALSE(s.coefficients(10, -2, c).ok());
}

TEST(UnCLIPScheduler, RefusesBadConfigurations) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const UnCLIPSchedulerConfig bad[] = {
        {.num_train_timesteps = 0},
        {.num_train_timesteps = max_train_timesteps + 1},
        {.variance_type = variance_kind::fixed_large},
        {.clip_sample_range = 0.0f},
        {.clip_sample_range = nan},
        {.prediction_type = prediction_kind::v_prediction},
        {.beta_schedule = beta_kind::linear},
    };
    for (const auto& config : bad) {
        UnCLIPScheduler s(config);
        step_coefficients c;
        EXPECT_EQ(s.error().code, errc::invalid_argument);
        EXPECT_FALSE(s.set_timesteps(5).ok());
        EXPECT_FALSE(s.coefficients(5, {}, c).ok());
    }
    EXPECT_TRUE(UnCLIPScheduler({.clip_sample = false, .clip_sample_range = nan}).error().ok()) << "not read";
}

TEST(UnCLIPScheduler, RefusesBuffersOfTheWrongSize) {
    UnCLIPScheduler plain(karlo), learned({.variance_type = variance_kind::learned_range});
    const std::vector<float> four(4, 0.5f), eight(8, 0.5f), three(3, 0.5f);
    std::vector<float> out(4, 7.0f);
    EXPECT_EQ(plain.step(eight, 5, four, {}, four, out, 4).code, errc::shape_mismatch);
    EXPECT_EQ(learned.step(four, 5, four, {}, four, out, 4).code, errc::shape_mismatch);
    EXPECT_EQ(plain.step(four, 5, four, {}, {}, out, 4).code, errc::shape_mismatch) << "noise is needed above step 0";
    EXPECT_EQ(plain.step(four, 5, four, {}, three, out, 4).code, errc::shape_mismatch);
    EXPECT_EQ(plain.step(four, 5, four, {}, four, std::span(out).first(3), 4).code, errc::shape_mismatch);
    EXPECT_EQ(plain.step(four, 5, four, {}, four, out, 3).code, errc::shape_mismatch) << "4 is not rows of 3";
    EXPECT_EQ(plain.step(four, 5, four, {}, four, out, 0).code, errc::invalid_argument);
    EXPECT_EQ(out, std::vector<float>(4, 7.0f)) << "nothing is written";
    EXPECT_TRUE(learned.step(eight, 5, four, {}, four, out, 2).ok());
}

} // namespace
} // namespace apriori
