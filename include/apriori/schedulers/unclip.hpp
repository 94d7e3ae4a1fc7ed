// SPDX-License-Identifier: Apache-2.0
// UnCLIPScheduler of diffusers 0.42.1: DDPM for Karlo's unCLIP, with betas recomputed over skipped steps.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/ancestral.hpp"

#include <optional>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Fields and defaults of diffusers' UnCLIPScheduler, with the same names. Its only beta_schedule is squaredcos_cap_v2.
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

    static constexpr auto fields() noexcept {
        using c = UnCLIPSchedulerConfig;
        using f = field<c>;
        return std::array{f::integer<&c::num_train_timesteps>("num_train_timesteps", 1, max_train_timesteps),
                          f::choice<&c::variance_type>("variance_type", std::span(variance_spellings).last(2)),
                          f::flag<&c::clip_sample>("clip_sample"),
                          f::real<&c::clip_sample_range>("clip_sample_range", "1e-30", "1e+30").when(&c::clip_sample),
                          f::choice<&c::prediction_type>("prediction_type", std::span(prediction_spellings).first(2)),
                          f::choice<&c::beta_schedule>("beta_schedule", common_betas.last(1))};
    }
    constexpr status together() const noexcept { return {}; }

    constexpr bool operator==(const UnCLIPSchedulerConfig&) const = default;
};

/// The step from training step t to `previous`, -1 <= previous < t < num_train_timesteps. Step -1 is x0 itself.
constexpr step_coefficients unclip_coefficients(const UnCLIPSchedulerConfig& c, const noise_levels& levels, int t,
                                                int previous) noexcept {
    const detail::step_levels step(levels, t, previous);
    const float beta = previous == t - 1 ? at(levels.betas, t) : 1.0f - step.alpha_prod / step.alpha_prod_previous;
    return detail::ancestral_step(c, step, 1.0f - beta, beta);
}

/// Timesteps are round(i * (num_train_timesteps - 1) / (n - 1)), ties to even, descending; each step leads to the next
/// one, and the last one to x0. For n = 1, where diffusers divides by zero, the single step leads from
/// num_train_timesteps - 1 straight to x0.
constexpr status plan_schedule(const UnCLIPSchedulerConfig& c, const noise_levels& levels,
                               const schedule_request& request, schedule& out) {
    const int n = request.num_inference_steps, last = c.num_train_timesteps - 1;
    if (const status s = check_request(c, request); !s) return s;
    const double ratio = n > 1 ? double(last) / (n - 1) : 0.0;
    const auto timestep = [&](int i) {
        if (i == n) return -1;
        return n == 1 ? last : int(math::round_half_even((n - 1 - i) * ratio));
    };
    out.reset(1.0f, 0);
    for (int i = request.begin; i < n; ++i) out.push(unclip_coefficients(c, levels, timestep(i), timestep(i + 1)));
    return {};
}

/// diffusers' UnCLIPScheduler: `set_timesteps`, `timesteps()` and `steps()` like every scheduler, and `coefficients`
/// and `step` for a pair of timesteps that the caller chooses.
class UnCLIPScheduler : public basic_scheduler<UnCLIPSchedulerConfig> {
public:
    using basic_scheduler::basic_scheduler;

    /// The scalars of the step from `timestep` to `prev_timestep` (default: timestep - 1, as in diffusers).
    /// invalid_argument unless -1 <= prev_timestep < timestep < num_train_timesteps.
    status coefficients(int timestep, std::optional<int> prev_timestep, step_coefficients& out) const noexcept {
        if (!error()) return error();
        if (timestep < 0 || timestep >= levels().steps())
            return status::invalid("UnCLIPScheduler: timestep must be 0 to num_train_timesteps - 1", timestep,
                                   levels().steps());
        const int previous = prev_timestep.value_or(timestep - 1);
        if (previous < -1 || previous >= timestep)
            return status::invalid("UnCLIPScheduler: prev_timestep must be -1 to timestep - 1", previous, timestep);
        out = unclip_coefficients(config(), levels(), timestep, previous);
        return {};
    }

    /// diffusers' step on the host, on rows of `dim` elements. The caller supplies the noise, [rows, dim] standard
    /// normal; it is not read at timestep 0. Writes prev_sample to `out` ([rows, dim], may be `sample`).
    status step(std::span<const float> model_output, int timestep, std::span<const float> sample,
                std::optional<int> prev_timestep, std::span<const float> noise, std::span<float> out,
                index_t dim) const noexcept {
        step_coefficients c;
        if (const status s = coefficients(timestep, prev_timestep, c); !s) return s;
        return apply_step(c, {.output = model_output, .sample = sample, .noise = noise, .next = out}, dim);
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
