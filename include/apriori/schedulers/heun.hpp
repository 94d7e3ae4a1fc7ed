// SPDX-License-Identifier: Apache-2.0
// HeunDiscreteScheduler of diffusers 0.42.1: Heun's second-order method, algorithm 1 of arXiv:2206.00364 without churn.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/scheduler.hpp"
#include "apriori/schedulers/sigmas.hpp"
#include "apriori/schedulers/spacing.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Fields and defaults of diffusers' HeunDiscreteScheduler, with the same names. Missing: trained_betas and
/// use_beta_sigmas.
struct HeunDiscreteSchedulerConfig {
    int num_train_timesteps = 1000;
    double beta_start = 0.00085;
    double beta_end = 0.012;
    beta_kind beta_schedule = beta_kind::linear; ///< or scaled_linear, squaredcos_cap_v2, exp
    prediction_kind prediction_type = prediction_kind::epsilon;
    bool use_karras_sigmas = false;
    bool use_exponential_sigmas = false;
    bool clip_sample = false;
    float clip_sample_range = 1.0f;
    spacing_kind timestep_spacing = spacing_kind::linspace;
    int steps_offset = 0;

    static constexpr const char* class_name = "HeunDiscreteScheduler";
    static constexpr bool custom_timesteps = true, noises_at_training_steps = false;
    /// Every step but the last calls the model twice.
    static constexpr int model_calls(int num_inference_steps) noexcept { return 2 * num_inference_steps - 1; }

    constexpr bool own_sigmas() const noexcept { return use_karras_sigmas || use_exponential_sigmas; }
    static constexpr auto fields() noexcept {
        using c = HeunDiscreteSchedulerConfig;
        using f = field<c>;
        return detail::spaced_fields<c>(
            2, std::span(beta_spellings).first(4), f::flag<&c::clip_sample>("clip_sample"),
            f::real<&c::clip_sample_range>("clip_sample_range", "1e-30", "1e+30").when(&c::clip_sample),
            f::flag<&c::use_karras_sigmas>("use_karras_sigmas"),
            f::flag<&c::use_exponential_sigmas>("use_exponential_sigmas"), f::only("use_beta_sigmas", "false"),
            // fields of other classes that are read here
            f::only("sigma_min", "null").where(&c::own_sigmas), f::only("sigma_max", "null").where(&c::own_sigmas));
    }
    constexpr status together() const noexcept {
        if (use_karras_sigmas && use_exponential_sigmas)
            return status::invalid("only one of use_karras_sigmas and use_exponential_sigmas may be true");
        return detail::check_training_steps(*this);
    }

    constexpr bool operator==(const HeunDiscreteSchedulerConfig&) const = default;
};

/// The step from sigma to sigma_next. The first of its two calls is an Euler step that keeps the derivative (history 0)
/// and the sample (history 1); the second, at sigma_next, averages both derivatives and restarts from that sample.
constexpr step_coefficients heun_coefficients(const HeunDiscreteSchedulerConfig& c, float timestep, float sigma,
                                              float sigma_next, bool second) noexcept {
    const float at = second ? sigma_next : sigma, norm = at * at + 1.0f;
    step_coefficients s;
    s.timestep = timestep;
    s.input_scale = 1.0f / detail::sqrt_f32(norm);
    if (c.prediction_type == prediction_kind::epsilon) {
        s.x0_sample = 1.0f;
        s.x0_output = at;
    } else if (c.prediction_type == prediction_kind::v_prediction) {
        s.x0_sample = 1.0f / norm;
        s.x0_output = at / detail::sqrt_f32(norm);
    }
    if (c.clip_sample) s.clip_range = c.clip_sample_range;
    const float dt = sigma_next - sigma;
    if (second) {
        const float half = dt / 2.0f;
        s.to_x0 = -half / sigma_next;
        s.to_sample = half / sigma_next;
        s.to_history = {half, 1.0f};
    } else {
        s.to_x0 = -dt / sigma;
        s.to_sample = sigma_next / sigma;
        s.keep[0] = {.active = true, .x0 = -1.0f / sigma, .sample = 1.0f / sigma};
        s.keep[1] = {.active = true, .sample = 1.0f};
    }
    s.level = at;
    return s;
}

/// `request.begin` counts model calls and must be even: planning cannot begin with half a step.
constexpr status plan_schedule(const HeunDiscreteSchedulerConfig& c, const noise_levels& levels,
                               const schedule_request& request, schedule& out) {
    const int n = request.num_inference_steps, train = c.num_train_timesteps;
    if (const status s = check_request(c, request); !s) return s;
    if (request.begin % 2 != 0)
        return status::invalid("begin must be even: half a step cannot be the first", request.begin, 2 * n - 1);

    std::vector<double> timesteps;
    if (request.custom.empty()) {
        timesteps = detail::spaced_timesteps(c.timestep_spacing, train, n, c.steps_offset, true);
        for (double& t : timesteps) t = float(t);
    } else {
        if (c.own_sigmas())
            return status::invalid("custom timesteps cannot be used with use_karras_sigmas or use_exponential_sigmas");
        if (const status s = detail::check_custom_timesteps(request.custom, train, true); !s) return s;
        timesteps.assign(request.custom.begin(), request.custom.end());
    }
    const std::vector<float> training = detail::training_sigmas(levels);
    std::vector<double> sigmas;
    for (const double t : timesteps) sigmas.push_back(detail::interpolate(training, t));
    if (c.own_sigmas()) {
        const double first = sigmas.front(), last = sigmas.back();
        if (c.use_karras_sigmas)
            sigmas = detail::karras_sigmas(first, last, n);
        else
            sigmas = detail::exponential_sigmas(math::log(first), math::log(last), n);
        const std::vector<float> logs = detail::log_of(training);
        for (std::size_t i = 0; i < sigmas.size(); ++i) timesteps[i] = detail::sigma_to_timestep(sigmas[i], logs);
    }
    const auto sigma = [&](std::size_t i) { return i < sigmas.size() ? float(sigmas[i]) : 0.0f; };
    const float largest = sigma(0);
    out.reset(c.timestep_spacing == spacing_kind::leading ? detail::sqrt_f32(largest * largest + 1.0f) : largest, 2);
    for (std::size_t i = to_size(request.begin) / 2; i < sigmas.size(); ++i) {
        out.push(heun_coefficients(c, float(timesteps[i]), sigma(i), sigma(i + 1), false));
        if (i + 1 < sigmas.size())
            out.push(heun_coefficients(c, float(timesteps[i + 1]), sigma(i), sigma(i + 1), true));
    }
    return {};
}

/// diffusers' HeunDiscreteScheduler. Accepts custom timesteps, including fractional ones.
using HeunDiscreteScheduler = basic_scheduler<HeunDiscreteSchedulerConfig>;

} // namespace apriori
APRIORI_END_EXACT_MATH
