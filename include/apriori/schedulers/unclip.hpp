// SPDX-License-Identifier: Apache-2.0
// UnCLIPScheduler of diffusers 0.42.1: DDPM for Karlo's unCLIP, with betas recomputed over the steps that are skipped.
#pragma once

#include "apriori/schedulers/scheduler.hpp"

#include <optional>

namespace apriori {

/// Fields and defaults of diffusers' UnCLIPScheduler, by the same names. Its beta_schedule is squaredcos_cap_v2 alone.
struct UnCLIPSchedulerConfig {
    int num_train_timesteps = 1000;
    variance_kind variance_type = variance_kind::fixed_small_log; ///< or learned_range
    bool clip_sample = true;
    float clip_sample_range = 1.0f;
    prediction_kind prediction_type = prediction_kind::epsilon; ///< or sample
    beta_kind beta_schedule = beta_kind::squaredcos_cap_v2;

    static constexpr const char* class_name = "UnCLIPScheduler";
    static constexpr bool custom_timesteps = false, noises_at_training_steps = true;
    static constexpr int model_calls(int num_inference_steps) noexcept { return num_inference_steps; }

    constexpr bool operator==(const UnCLIPSchedulerConfig&) const = default;
};

constexpr status validate(const UnCLIPSchedulerConfig& c) noexcept {
    if (c.variance_type != variance_kind::fixed_small_log && c.variance_type != variance_kind::learned_range)
        return status::invalid("UnCLIPScheduler: variance_type must be fixed_small_log or learned_range");
    if (c.prediction_type != prediction_kind::epsilon && c.prediction_type != prediction_kind::sample)
        return status::invalid("UnCLIPScheduler: prediction_type must be epsilon or sample");
    if (c.beta_schedule != beta_kind::squaredcos_cap_v2)
        return status::invalid("UnCLIPScheduler: beta_schedule must be squaredcos_cap_v2");
    if (c.clip_sample && !(c.clip_sample_range > 0.0f))
        return status::invalid("UnCLIPScheduler: clip_sample_range must be above 0");
    return validate(beta_options{.kind = c.beta_schedule, .num_train_timesteps = c.num_train_timesteps});
}

constexpr noise_levels make_noise_levels(const UnCLIPSchedulerConfig& c) {
    return make_noise_levels(beta_options{.kind = c.beta_schedule, .num_train_timesteps = c.num_train_timesteps});
}

/// The step from training step t to `previous`, -1 <= previous < t < num_train_timesteps: formulas (6), (7) and (15) of
/// arXiv:2006.11239. Step -1 is x0 itself.
constexpr step_coefficients unclip_coefficients(const UnCLIPSchedulerConfig& c, const noise_levels& levels, int t,
                                                int previous) noexcept {
    using detail::exp_f32, detail::log_f32, detail::sqrt_f32;
    const float alpha_prod = levels.alphas_cumprod[static_cast<std::size_t>(t)];
    const float alpha_prod_previous = previous >= 0 ? levels.alphas_cumprod[static_cast<std::size_t>(previous)] : 1.0f;
    const float beta_prod = 1.0f - alpha_prod, beta_prod_previous = 1.0f - alpha_prod_previous;
    const float beta =
        previous == t - 1 ? levels.betas[static_cast<std::size_t>(t)] : 1.0f - alpha_prod / alpha_prod_previous;
    const float alpha = 1.0f - beta;

    step_coefficients s;
    s.timestep = static_cast<float>(t);
    if (c.prediction_type == prediction_kind::epsilon) {
        s.x0_sample = 1.0f;
        s.x0_output = sqrt_f32(beta_prod);
        s.x0_divisor = sqrt_f32(alpha_prod);
    }
    if (c.clip_sample) s.clip_range = c.clip_sample_range;
    s.to_x0 = sqrt_f32(alpha_prod_previous) * beta / beta_prod;
    s.to_sample = sqrt_f32(alpha) * beta_prod_previous / beta_prod;
    s.learned_variance = c.variance_type == variance_kind::learned_range;
    s.draws_noise = t > 0;
    if (s.draws_noise) {
        const float variance = beta_prod_previous / beta_prod * beta;
        const float floored = variance > 1e-20f ? variance : 1e-20f; // learned_range too: log 0 would make NaN
        if (s.learned_variance) {
            s.min_log = log_f32(floored);
            s.max_log = log_f32(beta);
        } else {
            s.noise = exp_f32(0.5f * log_f32(floored));
        }
    }
    const noising n = noising_at(levels, t);
    s.signal = n.signal;
    s.level = n.level;
    return s;
}

/// Timesteps round(i * (num_train_timesteps - 1) / (n - 1)), halves to even, descending; each step leads to the next and
/// the last one to x0. n = 1, where diffusers divides by zero, is the single step num_train_timesteps - 1 straight to x0.
constexpr status plan_schedule(const UnCLIPSchedulerConfig& c, const noise_levels& levels,
                               const schedule_request& request, schedule& out) {
    const int n = request.num_inference_steps, last = c.num_train_timesteps - 1;
    if (n < 1 || n > c.num_train_timesteps)
        return status::invalid("UnCLIPScheduler: num_inference_steps must be 1 to num_train_timesteps", n, last + 1);
    if (request.begin < 0 || request.begin >= n)
        return status::invalid("UnCLIPScheduler: begin must be 0 to num_inference_steps - 1", request.begin, n);
    const double ratio = n > 1 ? static_cast<double>(last) / (n - 1) : 0.0;
    const auto timestep = [&](int i) {
        if (i == n) return -1;
        return n == 1 ? last : static_cast<int>(math::round_half_even((n - 1 - i) * ratio));
    };
    out.reset(1.0f, 0);
    for (int i = request.begin; i < n; ++i) out.push(unclip_coefficients(c, levels, timestep(i), timestep(i + 1)));
    return {};
}

/// diffusers' UnCLIPScheduler. `set_timesteps`, `timesteps()`, `steps()` as every scheduler; `coefficients` and `step`
/// for a pair of timesteps of the caller's choice.
class UnCLIPScheduler : public basic_scheduler<UnCLIPSchedulerConfig> {
public:
    using basic_scheduler::basic_scheduler;

    /// The scalars of the step from `timestep` to `prev_timestep` (absent: timestep - 1, as in diffusers).
    status coefficients(int timestep, std::optional<int> prev_timestep, step_coefficients& out) const noexcept {
        if (!error().ok()) return error();
        if (timestep < 0 || timestep >= levels().steps())
            return status::invalid("UnCLIPScheduler: timestep must be 0 to num_train_timesteps - 1", timestep,
                                   levels().steps());
        const int previous = prev_timestep.value_or(timestep - 1);
        if (previous < -1 || previous >= timestep)
            return status::invalid("UnCLIPScheduler: prev_timestep must be -1 to timestep - 1", previous, timestep);
        out = unclip_coefficients(config(), levels(), timestep, previous);
        return {};
    }

    /// diffusers' step on the host, on rows of `dim` elements. The noise is the caller's: [rows, dim] standard normal,
    /// not read at timestep 0. Writes prev_sample to `out` ([rows, dim], may be `sample`).
    status step(std::span<const float> model_output, int timestep, std::span<const float> sample,
                std::optional<int> prev_timestep, std::span<const float> noise, std::span<float> out,
                index_t dim) const noexcept {
        step_coefficients c;
        if (const status s = coefficients(timestep, prev_timestep, c); !s.ok()) return s;
        return apply_step(c, {.output = model_output, .sample = sample, .noise = noise, .next = out}, dim);
    }
};

} // namespace apriori
