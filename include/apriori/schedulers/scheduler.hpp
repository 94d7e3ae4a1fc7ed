// SPDX-License-Identifier: Apache-2.0
// What all schedulers share: the planned schedule, at run time or as a constant, and the class template over a
// configuration.
//
// A scheduler is one file: a configuration struct and three functions found by its type (scheduler_config below).
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/schedulers/betas.hpp"
#include "apriori/schedulers/concept.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A planned schedule of any scheduler.
class schedule {
public:
    constexpr std::span<const float> timesteps() const noexcept { return timesteps_; }
    constexpr std::span<const step_coefficients> steps() const noexcept { return steps_; }
    constexpr float init_noise_sigma() const noexcept { return init_noise_sigma_; }
    constexpr int history_slots() const noexcept { return history_slots_; }

    /// Starts a new plan.
    constexpr void reset(float init_noise_sigma, int history_slots) {
        timesteps_.clear();
        steps_.clear();
        init_noise_sigma_ = init_noise_sigma;
        history_slots_ = history_slots;
    }
    constexpr void push(const step_coefficients& c) {
        timesteps_.push_back(c.timestep);
        steps_.push_back(c);
    }

private:
    std::vector<float> timesteps_;
    std::vector<step_coefficients> steps_;
    float init_noise_sigma_ = 1.0f;
    int history_slots_ = 0;
};

/// A planned schedule of `Calls` model calls without the heap: what constexpr_schedule returns.
template <std::size_t Calls>
struct static_schedule {
    std::array<float, Calls> timestep_values{};
    std::array<step_coefficients, Calls> step_values{};
    float sigma = 1.0f;
    int histories = 0;

    constexpr std::span<const float> timesteps() const noexcept { return timestep_values; }
    constexpr std::span<const step_coefficients> steps() const noexcept { return step_values; }
    constexpr float init_noise_sigma() const noexcept { return sigma; }
    constexpr int history_slots() const noexcept { return histories; }
};

/// The arguments of set_timesteps: a number of inference steps or, in its place, custom timesteps.
struct schedule_request {
    int num_inference_steps = 0;
    std::span<const float> custom{}; ///< descending training steps
    int begin = 0;                   ///< the first model call to plan; earlier ones are left out (image to image)
};

/// An error unless a scheduler has that many inference steps and `begin` is one of their model calls.
constexpr status check_request(const auto& c, const schedule_request& request) noexcept {
    const int n = request.num_inference_steps;
    if (n < 1 || n > c.num_train_timesteps)
        return status::invalid("num_inference_steps must be 1 to num_train_timesteps", n, c.num_train_timesteps);
    if (request.begin < 0 || request.begin >= c.model_calls(n))
        return status::invalid("begin must be one of the model calls, from 0", request.begin, c.model_calls(n));
    return {};
}

/// A scheduler's configuration and its rules. All of them are constexpr.
///   C::model_calls(n)                            model calls of n inference steps
///   C::class_name                                the class in diffusers
///   C::custom_timesteps                          whether custom timesteps are accepted
///   C::noises_at_training_steps                  whether add_noise takes any training step
///   validate(c)                                  an error for a value out of range: core/field.hpp, by C::fields()
///   make_noise_levels(c)                         the tables of a valid configuration
///   plan_schedule(c, levels, request, out)       fills `out`; after an error, `out` is unchanged
template <class C>
concept scheduler_config =
    requires(const C& c, const noise_levels& levels, const schedule_request& request, schedule& out) {
        { C::model_calls(1) } -> std::same_as<int>;
        { C::class_name } -> std::convertible_to<const char*>;
        { C::custom_timesteps } -> std::convertible_to<bool>;
        { C::noises_at_training_steps } -> std::convertible_to<bool>;
        { validate(c) } -> std::same_as<status>;
        { make_noise_levels(c) } -> std::same_as<noise_levels>;
        { plan_schedule(c, levels, request, out) } -> std::same_as<status>;
    };

namespace detail {

/// Whether every number that a step multiplies with is finite.
constexpr bool all_finite(const step_coefficients& c) noexcept {
    bool all = !is_nan(c.clip_range); // which may be infinite
    for (const float x : {c.timestep, c.input_scale, c.x0_sample, c.x0_output, c.x0_divisor, c.to_x0, c.to_sample,
                          c.to_output, c.noise, c.min_log, c.max_log, c.signal, c.level})
        all = all && is_finite(x);
    for (const float x : c.to_history) all = all && is_finite(x);
    for (const history_write& h : c.keep)
        for (const float x : {h.x0, h.sample, h.output}) all = all && is_finite(x);
    return all;
}

/// plan_schedule for a valid configuration, with an error where diffusers would divide by zero.
template <scheduler_config C>
constexpr status plan_finite(const C& c, const noise_levels& levels, const schedule_request& request, schedule& out) {
    schedule planned;
    if (const status s = plan_schedule(c, levels, request, planned); !s) return s;
    bool finite = is_finite(planned.init_noise_sigma());
    for (const step_coefficients& step : planned.steps()) finite = finite && all_finite(step);
    if (!finite)
        return status::invalid(
            "these betas leave nothing of the samples at some step, where diffusers divides by zero; "
            "take a smaller beta_end or fewer num_train_timesteps");
    out = std::move(planned);
    return {};
}

} // namespace detail

/// Noising of clean samples: signal * x0 + level * z.
struct noising {
    float signal = 1.0f, level = 0.0f;
};

/// add_noise of DDPM, DDIM and UnCLIP at training step t, which must lie in the tables.
constexpr noising noising_at(const noise_levels& levels, int t) noexcept {
    const float alpha = at(levels.alphas_cumprod, t);
    return {detail::sqrt_f32(alpha), detail::sqrt_f32(1.0f - alpha)};
}

/// A scheduler in diffusers' sense: configuration, tables, and the schedule that set_timesteps plans.
/// Only the constructor and set_timesteps allocate.
template <scheduler_config Config>
class basic_scheduler {
public:
    /// Accepts any configuration. For an invalid one, error() and set_timesteps return the error.
    explicit basic_scheduler(const Config& config = {}) : config_(config), error_(validate(config)) {
        if (error_) levels_ = make_noise_levels(config_);
    }

    const Config& config() const noexcept { return config_; }
    status error() const noexcept { return error_; }
    const noise_levels& levels() const noexcept { return levels_; }

    /// Plans `num_inference_steps`, 1 to num_train_timesteps, without the model calls before `begin`. After an error
    /// the schedule is unchanged.
    status set_timesteps(int num_inference_steps, int begin = 0) { return replan({num_inference_steps, {}, begin}); }

    /// Plans the given timesteps, descending.
    status set_timesteps(std::span<const float> timesteps, int begin = 0)
    requires(Config::custom_timesteps)
    {
        if (timesteps.empty()) return status::invalid("custom timesteps: give at least one", 0, 1);
        return replan({int(timesteps.size()), timesteps, begin});
    }

    std::span<const float> timesteps() const noexcept { return schedule_.timesteps(); }
    std::span<const step_coefficients> steps() const noexcept { return schedule_.steps(); }
    float init_noise_sigma() const noexcept { return schedule_.init_noise_sigma(); }
    int history_slots() const noexcept { return schedule_.history_slots(); }

    /// The planned schedule; a copy may outlive the scheduler.
    const schedule& planned() const noexcept { return schedule_; }

    /// diffusers' add_noise: out = signal * x0 + level * noise at training step t, 0 to num_train_timesteps - 1.
    status add_noise(std::span<const float> x0, std::span<const float> noise, int t,
                     std::span<float> out) const noexcept
    requires(Config::noises_at_training_steps)
    {
        if (!error_) return error_;
        if (t < 0 || t >= levels_.steps())
            return status::invalid("add_noise: timestep must be 0 to num_train_timesteps - 1", t, levels_.steps());
        if (noise.size() != x0.size() || out.size() != x0.size())
            return status::shape("add_noise: samples, noise and output must have one size");
        const noising n = noising_at(levels_, t);
        for (std::size_t i = 0; i < x0.size(); ++i) out[i] = n.signal * x0[i] + n.level * noise[i];
        return {};
    }

private:
    status replan(const schedule_request& request) {
        return error_ ? detail::plan_finite(config_, levels_, request, schedule_) : error_;
    }

    Config config_;
    status error_;
    noise_levels levels_;
    schedule schedule_;
};

/// Not constexpr: reaching it in a constant expression is a compile error that shows the reason.
inline void constexpr_schedule_failed(const char* /*why*/) {}

/// The schedule of `Steps` inference steps as a constant:
///     constexpr auto s = constexpr_schedule<25>(UnCLIPSchedulerConfig{.clip_sample_range = 5.0f});
/// A bad configuration or number of steps does not compile.
template <int Steps, scheduler_config Config>
consteval auto constexpr_schedule(const Config& config) {
    static_assert(Steps >= 1, "apriori: a schedule needs at least one step");
    static_schedule<std::size_t{Config::model_calls(Steps)}> out;
    if (const status s = validate(config); !s) constexpr_schedule_failed(s.what);
    schedule planned;
    if (const status s = detail::plan_finite(config, make_noise_levels(config), {Steps, {}, 0}, planned); !s)
        constexpr_schedule_failed(s.what);
    if (planned.steps().size() != out.step_values.size())
        constexpr_schedule_failed("this configuration plans another number of model calls; plan it at run time");
    for (std::size_t i = 0; i < out.step_values.size(); ++i) {
        out.timestep_values[i] = planned.timesteps()[i];
        out.step_values[i] = planned.steps()[i];
    }
    out.sigma = planned.init_noise_sigma();
    out.histories = planned.history_slots();
    return out;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
