// SPDX-License-Identifier: Apache-2.0
// Planning with DDPM, DDIM, Heun and DPM-Solver++: constant schedules, custom timesteps, limits, and every error. Their
// arithmetic is tested in schedulers_reference_test.cpp.
#include "apriori/schedulers/any_scheduler.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace apriori {
namespace {

constexpr float nan_f = std::numeric_limits<float>::quiet_NaN();

static_assert(scheduler<DDPMScheduler> && scheduler<DDIMScheduler> && scheduler<HeunDiscreteScheduler> &&
              scheduler<DPMSolverMultistepScheduler>);
static_assert(scheduler_config<DDPMSchedulerConfig> && scheduler_config<DDIMSchedulerConfig> &&
              scheduler_config<HeunDiscreteSchedulerConfig> && scheduler_config<DPMSolverMultistepSchedulerConfig>);

constexpr DDPMSchedulerConfig ddpm{.beta_schedule = beta_kind::scaled_linear};
constexpr DDIMSchedulerConfig ddim{.prediction_type = prediction_kind::v_prediction, .eta = 0.5f};
constexpr HeunDiscreteSchedulerConfig heun{.beta_schedule = beta_kind::exp, .use_karras_sigmas = true};
constexpr DPMSolverMultistepSchedulerConfig dpm{.solver_order = 3, .use_exponential_sigmas = true};

constexpr auto constant_ddpm = constexpr_schedule<10>(ddpm);
constexpr auto constant_ddim = constexpr_schedule<10>(ddim);
constexpr auto constant_heun = constexpr_schedule<10>(heun);
constexpr auto constant_dpm = constexpr_schedule<10>(dpm);
static_assert(constant_heun.steps().size() == 19 && constant_heun.history_slots() == 2);
static_assert(constant_ddpm.history_slots() == 0 && constant_ddim.history_slots() == 0 &&
              constant_dpm.history_slots() == 2);

template <class Constant, class Config>
void expect_same(const Constant& constant, const Config& config, int steps = 10) {
    basic_scheduler<Config> s(config);
    ASSERT_TRUE(s.set_timesteps(steps).ok());
    ASSERT_EQ(s.steps().size(), constant.steps().size());
    for (std::size_t i = 0; i < s.steps().size(); ++i) EXPECT_EQ(s.steps()[i], constant.steps()[i]) << i;
    EXPECT_EQ(s.init_noise_sigma(), constant.init_noise_sigma());
    EXPECT_EQ(s.history_slots(), constant.history_slots());
}

TEST(Schedulers, ConstantAndPlannedSchedulesAreTheSameBits) {
    expect_same(constant_ddpm, ddpm);
    expect_same(constant_ddim, ddim);
    expect_same(constant_heun, heun);
    expect_same(constant_dpm, dpm);
}

template <class Config>
void expect_no_plan(Config config, int steps) {
    basic_scheduler<Config> scheduler(config);
    ASSERT_TRUE(scheduler.set_timesteps(1).ok());
    const status s = scheduler.set_timesteps(steps);
    EXPECT_FALSE(s.ok());
    EXPECT_NE(std::string(s.what).find("take a smaller beta_end"), std::string::npos) << s.what;
    EXPECT_EQ(scheduler.steps().size(), 1U); // unchanged
    schedule plan;
    EXPECT_FALSE(plan_schedule(any_scheduler_config(config), {.num_inference_steps = steps}, plan).ok());
    EXPECT_TRUE(plan.steps().empty());
}

TEST(Schedulers, BetasThatLeaveNothingOfTheSamplesAreRefused) {
    expect_no_plan(DDPMSchedulerConfig{.beta_end = 0.3f}, 1000);
    expect_no_plan(DDIMSchedulerConfig{.beta_end = 0.3f,
                                       .prediction_type = prediction_kind::v_prediction,
                                       .rescale_betas_zero_snr = true},
                   7);
    expect_no_plan(HeunDiscreteSchedulerConfig{.beta_end = 0.3f}, 1000);
}

template <class Config>
class EveryScheduler : public testing::Test {};
using configs = testing::Types<UnCLIPSchedulerConfig, DDPMSchedulerConfig, DDIMSchedulerConfig,
                               HeunDiscreteSchedulerConfig, DPMSolverMultistepSchedulerConfig>;
TYPED_TEST_SUITE(EveryScheduler, configs);

TYPED_TEST(EveryScheduler, PlansFiniteStepsOfAnyNumber) {
    for (const int n : {1, 2, 3, 14, 15, 61, 250}) {
        basic_scheduler<TypeParam> s;
        ASSERT_TRUE(s.set_timesteps(n).ok()) << n;
        ASSERT_EQ(static_cast<int>(s.steps().size()), TypeParam::model_calls(n));
        for (std::size_t i = 0; i < s.steps().size(); ++i) {
            const step_coefficients& c = s.steps()[i];
            EXPECT_EQ(s.timesteps()[i], c.timestep);
            EXPECT_TRUE(i == 0 || c.timestep <= s.timesteps()[i - 1]);
            float sum = c.input_scale + c.x0_sample + c.x0_output + c.to_x0 + c.to_sample + c.to_output + c.noise;
            for (const float h : c.to_history) sum += h;
            for (const history_write& w : c.keep) sum += w.x0 + w.sample + w.output;
            EXPECT_TRUE(std::isfinite(sum)) << "step " << i << " of " << n;
            EXPECT_GT(c.x0_divisor, 0.0f);
        }
    }
}

// If a model always predicts the same x0, the sampling has to end there on any path: the coefficients of a step add up
// to 1.
TYPED_TEST(EveryScheduler, AConstantPredictionIsReached) {
    TypeParam config;
    config.prediction_type = prediction_kind::sample;
    for (const int n : {1, 2, 5, 20}) {
        basic_scheduler<TypeParam> s(config);
        ASSERT_TRUE(s.set_timesteps(n).ok());
        const std::array<float, 2> answer{0.75f, -0.25f}, silence{0.0f, 0.0f};
        std::array<float, 2> sample{s.init_noise_sigma(), -s.init_noise_sigma()}, h0{}, h1{}, x0{};
        for (const step_coefficients& c : s.steps())
            ASSERT_TRUE(apply_step(c,
                                   {.output = answer,
                                    .sample = sample,
                                    .noise = silence,
                                    .next = sample,
                                    .history = {h0, h1},
                                    .x0 = x0},
                                   2)
                            .ok());
        EXPECT_EQ(x0, answer);
        for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(sample[i], answer[i], 0.02f) << n << " steps";
    }
}

TYPED_TEST(EveryScheduler, RefusesNumbersOfStepsAndBeginnings) {
    basic_scheduler<TypeParam> s;
    EXPECT_EQ(s.set_timesteps(0).code, errc::invalid_argument);
    EXPECT_EQ(s.set_timesteps(-3).code, errc::invalid_argument);
    EXPECT_EQ(s.set_timesteps(1001).code, errc::invalid_argument);
    EXPECT_EQ(s.set_timesteps(5, -1).code, errc::invalid_argument);
    EXPECT_EQ(s.set_timesteps(5, TypeParam::model_calls(5)).code, errc::invalid_argument);
    EXPECT_TRUE(s.steps().empty());
    EXPECT_TRUE(s.set_timesteps(5, 4).ok());
}

TYPED_TEST(EveryScheduler, RefusesTrainingStepsAndRanges) {
    TypeParam config;
    config.num_train_timesteps = 0;
    EXPECT_FALSE(validate(config).ok());
    config.num_train_timesteps = max_train_timesteps + 1;
    EXPECT_FALSE(validate(config).ok());
    config = {};
    config.prediction_type = static_cast<prediction_kind>(9);
    EXPECT_FALSE(validate(config).ok());
    config = {};
    config.beta_schedule = static_cast<beta_kind>(17);
    EXPECT_FALSE(validate(config).ok());
    if constexpr (requires { config.clip_sample; }) {
        config = {};
        config.clip_sample = true;
        config.clip_sample_range = nan_f;
        EXPECT_FALSE(validate(config).ok());
    }
    if constexpr (requires { config.beta_start; }) {
        for (const double bad : {0.0, -1.0, 1.0, std::nan("")}) {
            config = {};
            config.beta_start = bad;
            EXPECT_FALSE(validate(config).ok()) << bad;
            config = {};
            config.beta_end = bad;
            EXPECT_FALSE(validate(config).ok()) << bad;
        }
        config = {};
        config.timestep_spacing = static_cast<spacing_kind>(3);
        EXPECT_FALSE(validate(config).ok());
        config = {};
        config.steps_offset = -1;
        EXPECT_FALSE(validate(config).ok());
    }
}

template <class Config>
class CustomTimesteps : public testing::Test {};
using custom_configs =
    testing::Types<DDPMSchedulerConfig, HeunDiscreteSchedulerConfig, DPMSolverMultistepSchedulerConfig>;
TYPED_TEST_SUITE(CustomTimesteps, custom_configs);

TYPED_TEST(CustomTimesteps, AreTakenOrRefused) {
    basic_scheduler<TypeParam> s;
    const std::vector<float> good{900, 500, 2};
    ASSERT_TRUE(s.set_timesteps(good).ok());
    EXPECT_EQ(s.timesteps().front(), 900.0f);
    EXPECT_EQ(s.timesteps().back(), 2.0f);
    for (const auto& bad : std::vector<std::vector<float>>{{}, {1000, 5}, {5, -1}, {5, 5}, {5, 6}, {nan_f}, {7, nan_f}})
        EXPECT_EQ(s.set_timesteps(bad).code, errc::invalid_argument);
    EXPECT_EQ(s.timesteps().front(), 900.0f) << "the last good plan stays";
    const std::vector<float> fractional{10.5f, 2.0f};
    EXPECT_EQ(s.set_timesteps(fractional).ok(), (std::is_same_v<TypeParam, HeunDiscreteSchedulerConfig>));
}

TEST(Schedulers, CustomTimestepsExcludeSigmaSchedules) {
    const std::vector<float> timesteps{900, 500, 2};
    EXPECT_FALSE(HeunDiscreteScheduler({.use_karras_sigmas = true}).set_timesteps(timesteps).ok());
    EXPECT_FALSE(HeunDiscreteScheduler({.use_exponential_sigmas = true}).set_timesteps(timesteps).ok());
    EXPECT_FALSE(DPMSolverMultistepScheduler({.use_lu_lambdas = true}).set_timesteps(timesteps).ok());
}

TEST(Schedulers, TrailingNeverGoesBelowZero) {
    DDPMScheduler s({.timestep_spacing = spacing_kind::trailing});
    for (const int n : {61, 103, 1000}) { // numpy.arange gives one element too many for 61 and 103
        ASSERT_TRUE(s.set_timesteps(n).ok());
        EXPECT_EQ(static_cast<int>(s.steps().size()), n);
        EXPECT_GE(s.timesteps().back(), 0.0f);
    }
}

TEST(Schedulers, HeunBeginsWithWholeSteps) {
    HeunDiscreteScheduler s;
    EXPECT_FALSE(s.set_timesteps(5, 1).ok());
    ASSERT_TRUE(s.set_timesteps(5, 2).ok());
    EXPECT_EQ(s.steps().size(), 7u);
    EXPECT_TRUE(s.steps().front().keep[0].active);
}

TEST(Schedulers, NoiseIsDrawnWhereDiffusersDrawsIt) {
    DDPMScheduler ancestral;
    DDIMScheduler still, noisy({.eta = 1.0f});
    HeunDiscreteScheduler ode;
    DPMSolverMultistepScheduler sde({.algorithm_type = dpm_algorithm::sde_dpmsolver_pp});
    for (const bool ok : {ancestral.set_timesteps(4).ok(), still.set_timesteps(4).ok(), noisy.set_timesteps(4).ok(),
                          ode.set_timesteps(4).ok(), sde.set_timesteps(4).ok()})
        ASSERT_TRUE(ok);
    const auto draws = [](const auto& s) {
        std::string out;
        for (const step_coefficients& c : s.steps()) out += c.draws_noise ? 'z' : '.';
        return out;
    };
    EXPECT_EQ(draws(ancestral), "zzz.");
    EXPECT_EQ(draws(still), "....");
    EXPECT_EQ(draws(noisy), "zzzz");
    EXPECT_EQ(draws(ode), ".......");
    EXPECT_EQ(draws(sde), "zzzz");
    EXPECT_EQ(sde.steps().back().noise, 0.0f);
}

TEST(Schedulers, RefuseWhatWouldDivideByZero) {
    DDPMScheduler s({.timestep_spacing = spacing_kind::trailing, .rescale_betas_zero_snr = true});
    EXPECT_FALSE(s.set_timesteps(10).ok()) << "epsilon at a step without signal";
    EXPECT_TRUE(DDPMScheduler({.rescale_betas_zero_snr = true}).set_timesteps(10).ok())
        << "leading leaves that step out";
    EXPECT_FALSE(DPMSolverMultistepScheduler({.timestep_spacing = spacing_kind::leading}).set_timesteps(1000).ok());
    EXPECT_TRUE(DPMSolverMultistepScheduler().set_timesteps(999).ok());
    EXPECT_FALSE(DPMSolverMultistepScheduler({.lambda_min_clipped = 1e9f}).set_timesteps(1).ok());
}

// Karras's last noise level is sigma_min. If the schedule ends there too, its last step changes nothing.
// (schedulers_reference_test.cpp compares the numbers with diffusers'.)
constexpr DPMSolverMultistepSchedulerConfig to_sigma_min{.beta_start = 0.00085,
                                                         .beta_end = 0.012,
                                                         .beta_schedule = beta_kind::scaled_linear,
                                                         .use_karras_sigmas = true,
                                                         .final_sigmas_type = final_sigma::sigma_min};
constexpr auto constant_to_sigma_min = constexpr_schedule<20>(to_sigma_min);

TEST(Schedulers, AStepBetweenEqualNoiseLevelsChangesNothing) {
    DPMSolverMultistepScheduler planned(to_sigma_min);
    ASSERT_TRUE(planned.set_timesteps(20).ok());
    const auto constant = constant_to_sigma_min.steps();
    ASSERT_EQ(planned.steps().size(), constant.size());
    // at run time clang contracts a * b + c where the machine can, in constant expressions it does not
    for (std::size_t i = 0; i < constant.size(); ++i) {
        const step_coefficients &a = planned.steps()[i], &b = constant[i];
        for (const auto member :
             {&step_coefficients::timestep, &step_coefficients::x0_sample, &step_coefficients::x0_output,
              &step_coefficients::to_x0, &step_coefficients::to_sample, &step_coefficients::to_output})
            EXPECT_NEAR(a.*member, b.*member, 1e-6f * std::fmax(1.0f, std::fabs(b.*member))) << i;
    }
    for (const int n : {1, 2, 3, 14, 15, 50, 999}) {
        DPMSolverMultistepScheduler s(to_sigma_min);
        ASSERT_TRUE(s.set_timesteps(n).ok()) << n;
        if (n == 1) continue; // goes from the largest level straight to sigma_min
        const step_coefficients& last = s.steps().back();
        EXPECT_NEAR(last.to_sample, 1.0f, 1e-5f) << n;
        EXPECT_NEAR(last.to_x0, 0.0f, 1e-5f) << n;
    }
    // diffusers divides 0 by 0 here, which gives NaN
    auto heun_solver = to_sigma_min;
    heun_solver.solver_type = dpm_solver::heun;
    const status refused = DPMSolverMultistepScheduler(heun_solver).set_timesteps(20);
    EXPECT_EQ(std::string_view(refused.what).substr(0, 30), "two steps share a noise level,");
    EXPECT_TRUE(DPMSolverMultistepScheduler(heun_solver).set_timesteps(14).ok()) << "the last step is of order 1";
    auto third = to_sigma_min;
    third.solver_order = 3;
    EXPECT_FALSE(DPMSolverMultistepScheduler(third).set_timesteps(20).ok());
    EXPECT_TRUE(DPMSolverMultistepScheduler(third).set_timesteps(14).ok());
}

TEST(Schedulers, RefuseOffsetsBeyondTheTables) {
    EXPECT_FALSE(DDPMScheduler({.steps_offset = 1000}).error().ok());
    EXPECT_FALSE(DDPMScheduler({.steps_offset = 1}).set_timesteps(1000).ok());
    EXPECT_TRUE(DDPMScheduler({.steps_offset = 1}).set_timesteps(500).ok());
}

TEST(Schedulers, RefuseTheirOwnFields) {
    EXPECT_FALSE(validate(DDIMSchedulerConfig{.eta = 1.5f}).ok());
    EXPECT_FALSE(validate(DDIMSchedulerConfig{.eta = nan_f}).ok());
    EXPECT_FALSE(validate(DDIMSchedulerConfig{.beta_schedule = beta_kind::exp}).ok());
    EXPECT_FALSE(validate(DDPMSchedulerConfig{.beta_schedule = beta_kind::exp}).ok());
    EXPECT_FALSE(validate(DDPMSchedulerConfig{.variance_type = static_cast<variance_kind>(8)}).ok());
    EXPECT_FALSE(validate(HeunDiscreteSchedulerConfig{.beta_schedule = beta_kind::sigmoid}).ok());
    EXPECT_FALSE(validate(HeunDiscreteSchedulerConfig{.use_karras_sigmas = true, .use_exponential_sigmas = true}).ok());
    EXPECT_FALSE(validate(DPMSolverMultistepSchedulerConfig{.solver_order = 4}).ok());
    EXPECT_FALSE(validate(DPMSolverMultistepSchedulerConfig{.use_karras_sigmas = true, .use_lu_lambdas = true}).ok());
    EXPECT_FALSE(validate(DPMSolverMultistepSchedulerConfig{.lambda_min_clipped = nan_f}).ok());
    EXPECT_FALSE(validate(DPMSolverMultistepSchedulerConfig{.solver_type = static_cast<dpm_solver>(5)}).ok());
}

TEST(Schedulers, HistoryBuffersAreAskedFor) {
    HeunDiscreteScheduler s;
    ASSERT_TRUE(s.set_timesteps(2).ok());
    const std::vector<float> x(4, 1.0f);
    std::vector<float> out(4), h(4);
    EXPECT_EQ(apply_step(s.steps()[0], {.output = x, .sample = x, .noise = {}, .next = out, .history = {h}}, 4).code,
              errc::shape_mismatch);
    EXPECT_TRUE(
        apply_step(s.steps()[2], {.output = x, .sample = x, .noise = {}, .next = out, .history = {h, h}}, 4).ok());
}

TEST(AnyScheduler, PlansWhatItsClassPlans) {
    const any_scheduler_config config = heun;
    EXPECT_STREQ(class_name(config), "HeunDiscreteScheduler");
    schedule plan;
    ASSERT_TRUE(plan_schedule(config, {.num_inference_steps = 10}, plan).ok());
    ASSERT_EQ(plan.steps().size(), constant_heun.steps().size());
    EXPECT_EQ(plan.steps()[3], constant_heun.steps()[3]);
    EXPECT_FALSE(plan_schedule(config, {.num_inference_steps = 0}, plan).ok());
    EXPECT_FALSE(
        plan_schedule(any_scheduler_config(DDIMSchedulerConfig{.eta = 7}), {.num_inference_steps = 3}, plan).ok());
    EXPECT_EQ(plan.steps().size(), 19u) << "the last good plan stays";
}

} // namespace
} // namespace apriori
