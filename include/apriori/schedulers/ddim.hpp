// SPDX-License-Identifier: Apache-2.0
// DDIMScheduler of diffusers 0.42.1: deterministic (eta 0) to ancestral (eta 1) sampling of arXiv:2010.02502.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/ddpm.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Fields and defaults of diffusers' DDIMScheduler and of its step(), with the same names. Missing: trained_betas and
/// thresholding.
struct DDIMSchedulerConfig {
    int num_train_timesteps = 1000;
    double beta_start = 0.0001;
    double beta_end = 0.02;
    beta_kind beta_schedule = beta_kind::linear; ///< or scaled_linear, squaredcos_cap_v2
    bool clip_sample = true;
    bool set_alpha_to_one = true; ///< false: the last step leads to training step 0, not x0
    int steps_offset = 0;
    prediction_kind prediction_type = prediction_kind::epsilon;
    float clip_sample_range = 1.0f;
    spacing_kind timestep_spacing = spacing_kind::leading;
    bool rescale_betas_zero_snr = false;

    float eta = 0.0f;                      ///< argument of step(): 0 adds no noise, 1 as much as DDPM
    bool use_clipped_model_output = false; ///< argument of step(): the noise is derived from the clipped x0

    static constexpr const char* class_name = "DDIMScheduler";
    static constexpr bool custom_timesteps = false, noises_at_training_steps = true;
    static constexpr int model_calls(int num_inference_steps) noexcept { return num_inference_steps; }

    static constexpr auto fields() noexcept {
        using c = DDIMSchedulerConfig;
        using f = field<c>;
        return detail::spaced_fields<c>(
            1, common_betas, f::flag<&c::set_alpha_to_one>("set_alpha_to_one"), f::flag<&c::clip_sample>("clip_sample"),
            f::real<&c::clip_sample_range>("clip_sample_range", "1e-30", "1e+30").when(&c::clip_sample),
            f::only("thresholding", "false"), f::ignored("dynamic_thresholding_ratio"), f::ignored("sample_max_value"),
            f::flag<&c::rescale_betas_zero_snr>("rescale_betas_zero_snr"));
    }
    constexpr status together() const noexcept {
        if (!(eta >= 0.0f && eta <= 1.0f)) return status::invalid("eta must be 0 to 1");
        return detail::check_training_steps(*this);
    }

    constexpr bool operator==(const DDIMSchedulerConfig&) const = default;
};

/// The step from training step t to `previous`; below 0 is the end. Formulas (12) and (16) of arXiv:2010.02502.
constexpr step_coefficients ddim_coefficients(const DDIMSchedulerConfig& c, const noise_levels& levels, int t,
                                              int previous) noexcept {
    using detail::sqrt_f32;
    const detail::step_levels at(levels, t, previous, c.set_alpha_to_one ? 1.0f : levels.alphas_cumprod.front());
    const float sqrt_alpha = sqrt_f32(at.alpha_prod), sqrt_beta = sqrt_f32(at.beta_prod);
    step_coefficients s = at.begin(c);
    const float variance = at.beta_prod_previous / at.beta_prod * (1.0f - at.alpha_prod / at.alpha_prod_previous);
    const float deviation = c.eta * sqrt_f32(variance > 0.0f ? variance : 0.0f);
    const float rest = 1.0f - at.alpha_prod_previous - deviation * deviation;
    const float direction = sqrt_f32(rest > 0.0f ? rest : 0.0f); // the factor of the predicted noise
    s.to_x0 = sqrt_f32(at.alpha_prod_previous);
    if (c.use_clipped_model_output) { // noise = (sample - sqrt_alpha * x0) / sqrt_beta
        s.to_x0 -= direction * sqrt_alpha / sqrt_beta;
        s.to_sample = direction / sqrt_beta;
    } else if (c.prediction_type == prediction_kind::epsilon) { // noise = output
        s.to_output = direction;
    } else if (c.prediction_type == prediction_kind::sample) { // noise = (sample - sqrt_alpha * output) / sqrt_beta
        s.to_sample = direction / sqrt_beta;
        s.to_output = -direction * sqrt_alpha / sqrt_beta;
    } else { // noise = sqrt_alpha * output + sqrt_beta * sample
        s.to_sample = direction * sqrt_beta;
        s.to_output = direction * sqrt_alpha;
    }
    s.draws_noise = c.eta > 0.0f;
    s.noise = deviation;
    return s;
}

/// Each step goes back by num_train_timesteps / num_inference_steps (rounded down) training steps, whatever its
/// timestep.
constexpr status plan_schedule(const DDIMSchedulerConfig& c, const noise_levels& levels,
                               const schedule_request& request, schedule& out) {
    std::vector<int> timesteps;
    if (const status s = detail::ancestral_timesteps(c, request, timesteps); !s) return s;
    const int stride = c.num_train_timesteps / request.num_inference_steps;
    out.reset(1.0f, 0);
    for (auto i = to_size(request.begin); i < timesteps.size(); ++i)
        out.push(ddim_coefficients(c, levels, timesteps[i], timesteps[i] - stride));
    return {};
}

/// diffusers' DDIMScheduler.
using DDIMScheduler = basic_scheduler<DDIMSchedulerConfig>;

} // namespace apriori
APRIORI_END_EXACT_MATH
