// SPDX-License-Identifier: Apache-2.0
// DDPMScheduler of diffusers 0.42.1: ancestral sampling of arXiv:2006.11239.
#pragma once

#include "apriori/schedulers/scheduler.hpp"
#include "apriori/schedulers/spacing.hpp"

namespace apriori {

/// Fields and defaults of diffusers' DDPMScheduler, by the same names. Not here: trained_betas, thresholding, and the
/// variance types learned and fixed_large_log.
struct DDPMSchedulerConfig {
    int num_train_timesteps = 1000;
    double beta_start = 0.0001;
    double beta_end = 0.02;
    beta_kind beta_schedule = beta_kind::linear; ///< any but exp
    variance_kind variance_type = variance_kind::fixed_small;
    bool clip_sample = true;
    prediction_kind prediction_type = prediction_kind::epsilon;
    float clip_sample_range = 1.0f;
    spacing_kind timestep_spacing = spacing_kind::leading;
    int steps_offset = 0;
    bool rescale_betas_zero_snr = false;

    static constexpr const char* class_name = "DDPMScheduler";
    static constexpr bool custom_timesteps = true, noises_at_training_steps = true;
    static constexpr int model_calls(int num_inference_steps) noexcept { return num_inference_steps; }

    constexpr bool operator==(const DDPMSchedulerConfig&) const = default;
};

namespace detail {

template <class Config>
constexpr beta_options betas_of(const Config& c) noexcept {
    return {c.beta_schedule, c.num_train_timesteps, c.beta_start, c.beta_end, c.rescale_betas_zero_snr};
}

/// What DDPM and DDIM ask of the fields that they share.
template <class Config>
constexpr status validate_ancestral(const Config& c) noexcept {
    if (!is_enumerator(c.prediction_type, prediction_kind::v_prediction))
        return status::invalid("prediction_type must be epsilon, sample or v_prediction");
    if (!is_enumerator(c.timestep_spacing, spacing_kind::trailing))
        return status::invalid("timestep_spacing must be linspace, leading or trailing");
    if (c.clip_sample && !(c.clip_sample_range > 0.0f)) return status::invalid("clip_sample_range must be above 0");
    if (c.steps_offset < 0 || c.steps_offset >= c.num_train_timesteps)
        return status::invalid("steps_offset must be 0 to num_train_timesteps - 1", c.steps_offset,
                               c.num_train_timesteps);
    return validate(betas_of(c));
}

/// x0 from (sample, output), formula (15) of arXiv:2006.11239 and, for v, appendix D of arXiv:2202.00512.
constexpr void set_prediction(step_coefficients& s, prediction_kind kind, float sqrt_alpha_prod,
                              float sqrt_beta_prod) noexcept {
    switch (kind) {
    case prediction_kind::epsilon:
        s.x0_sample = 1.0f;
        s.x0_output = sqrt_beta_prod;
        s.x0_divisor = sqrt_alpha_prod;
        break;
    case prediction_kind::sample:
        break; // the default: the output itself
    case prediction_kind::v_prediction:
        s.x0_sample = sqrt_alpha_prod;
        s.x0_output = sqrt_beta_prod;
        break;
    }
}

/// The training steps to visit, for DDPM and DDIM.
template <class Config>
constexpr status ancestral_timesteps(const Config& c, const schedule_request& request, std::vector<double>& out) {
    const int n = request.num_inference_steps, train = c.num_train_timesteps;
    if (n < 1 || n > train) return status::invalid("num_inference_steps must be 1 to num_train_timesteps", n, train);
    if (request.begin < 0 || request.begin >= n)
        return status::invalid("begin must be 0 to num_inference_steps - 1", request.begin, n);
    if (!request.custom.empty()) {
        if (const status s = check_custom_timesteps(request.custom, train, false); !s.ok()) return s;
        out.assign(request.custom.begin(), request.custom.end());
    } else {
        out = spaced_timesteps(c.timestep_spacing, train, n, c.steps_offset, false);
    }
    if (out.front() > train - 1)
        return status::invalid("steps_offset takes the first timestep beyond num_train_timesteps",
                               static_cast<std::int64_t>(out.front()), train);
    if (c.rescale_betas_zero_snr && c.prediction_type == prediction_kind::epsilon && out.front() == train - 1)
        return status::invalid(
            "with rescale_betas_zero_snr the last training step holds no signal, and prediction_type "
            "epsilon divides by it; use sample or v_prediction, or timestep_spacing leading");
    return {};
}

} // namespace detail

constexpr status validate(const DDPMSchedulerConfig& c) noexcept {
    if (!is_enumerator(c.variance_type, variance_kind::learned_range))
        return status::invalid("variance_type must be fixed_small, fixed_small_log, fixed_large or learned_range");
    if (!is_enumerator(c.beta_schedule, beta_kind::laplace) || c.beta_schedule == beta_kind::exp)
        return status::invalid("beta_schedule must be linear, scaled_linear, squaredcos_cap_v2, sigmoid or laplace");
    return detail::validate_ancestral(c);
}

constexpr noise_levels make_noise_levels(const DDPMSchedulerConfig& c) {
    return make_noise_levels(detail::betas_of(c));
}

/// The step from training step t to `previous`, -1 <= previous < t; step -1 is x0 itself.
constexpr step_coefficients ddpm_coefficients(const DDPMSchedulerConfig& c, const noise_levels& levels, int t,
                                              int previous) noexcept {
    using detail::exp_f32, detail::log_f32, detail::sqrt_f32;
    const float alpha_prod = levels.alphas_cumprod[static_cast<std::size_t>(t)];
    const float alpha_prod_previous = previous >= 0 ? levels.alphas_cumprod[static_cast<std::size_t>(previous)] : 1.0f;
    const float beta_prod = 1.0f - alpha_prod, beta_prod_previous = 1.0f - alpha_prod_previous;
    const float alpha = alpha_prod / alpha_prod_previous, beta = 1.0f - alpha;

    step_coefficients s;
    s.timestep = static_cast<float>(t);
    detail::set_prediction(s, c.prediction_type, sqrt_f32(alpha_prod), sqrt_f32(beta_prod));
    if (c.clip_sample) s.clip_range = c.clip_sample_range;
    s.to_x0 = sqrt_f32(alpha_prod_previous) * beta / beta_prod; // formula (7)
    s.to_sample = sqrt_f32(alpha) * beta_prod_previous / beta_prod;
    s.learned_variance = c.variance_type == variance_kind::learned_range;
    s.draws_noise = t > 0;
    if (s.draws_noise) {
        const float unfloored = beta_prod_previous / beta_prod * beta;
        const float variance = unfloored > 1e-20f ? unfloored : 1e-20f;
        switch (c.variance_type) {
        case variance_kind::fixed_small:
            s.noise = sqrt_f32(variance);
            break;
        case variance_kind::fixed_small_log:
            s.noise = exp_f32(0.5f * log_f32(variance));
            break;
        case variance_kind::fixed_large:
            s.noise = sqrt_f32(beta);
            break;
        case variance_kind::learned_range:
            s.min_log = log_f32(variance);
            s.max_log = log_f32(beta);
            break;
        }
    }
    const noising n = noising_at(levels, t);
    s.signal = n.signal;
    s.level = n.level;
    return s;
}

/// Each timestep leads to the next and the last one to x0.
constexpr status plan_schedule(const DDPMSchedulerConfig& c, const noise_levels& levels,
                               const schedule_request& request, schedule& out) {
    std::vector<double> timesteps;
    if (const status s = detail::ancestral_timesteps(c, request, timesteps); !s.ok()) return s;
    out.reset(1.0f, 0);
    for (auto i = static_cast<std::size_t>(request.begin); i < timesteps.size(); ++i)
        out.push(ddpm_coefficients(c, levels, static_cast<int>(timesteps[i]),
                                   i + 1 < timesteps.size() ? static_cast<int>(timesteps[i + 1]) : -1));
    return {};
}

/// diffusers' DDPMScheduler; timesteps may be given.
using DDPMScheduler = basic_scheduler<DDPMSchedulerConfig>;

} // namespace apriori
