// SPDX-License-Identifier: Apache-2.0
// DDPMScheduler of diffusers 0.42.1: ancestral sampling of arXiv:2006.11239.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/ancestral.hpp"
#include "apriori/schedulers/spacing.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Fields and defaults of diffusers' DDPMScheduler, with the same names. Missing: trained_betas, thresholding, and the
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

    static constexpr auto fields() noexcept {
        using c = DDPMSchedulerConfig;
        using f = field<c>;
        return detail::spaced_fields<c>(
            1, std::span(beta_spellings).subspan(1), f::choice<&c::variance_type>("variance_type", variance_spellings),
            f::flag<&c::clip_sample>("clip_sample"),
            f::real<&c::clip_sample_range>("clip_sample_range", "1e-30", "1e+30").when(&c::clip_sample),
            f::only("thresholding", "false"), f::ignored("dynamic_thresholding_ratio"), f::ignored("sample_max_value"),
            f::flag<&c::rescale_betas_zero_snr>("rescale_betas_zero_snr"));
    }
    constexpr status together() const noexcept { return detail::check_training_steps(*this); }

    constexpr bool operator==(const DDPMSchedulerConfig&) const = default;
};

namespace detail {

/// The training steps to visit, for DDPM and DDIM.
constexpr status ancestral_timesteps(const auto& c, const schedule_request& request, std::vector<int>& out) {
    const int n = request.num_inference_steps, train = c.num_train_timesteps;
    if (const status s = check_request(c, request); !s) return s;
    if (const status s = check_custom_timesteps(request.custom, train, false); !s) return s;
    for (const float t : request.custom) out.push_back(int(t));
    if (out.empty())
        for (const double t : spaced_timesteps(c.timestep_spacing, train, n, c.steps_offset, false))
            out.push_back(int(t));
    if (out.front() > train - 1)
        return status::invalid("steps_offset takes the first timestep beyond num_train_timesteps", out.front(), train);
    if (c.rescale_betas_zero_snr && c.prediction_type == prediction_kind::epsilon && out.front() == train - 1)
        return status::invalid(
            "with rescale_betas_zero_snr the last training step holds no signal, and prediction_type "
            "epsilon divides by it; use sample or v_prediction, or timestep_spacing leading");
    return {};
}

} // namespace detail

/// The step from training step t to `previous`, -1 <= previous < t; step -1 is x0 itself.
constexpr step_coefficients ddpm_coefficients(const DDPMSchedulerConfig& c, const noise_levels& levels, int t,
                                              int previous) noexcept {
    const detail::step_levels at(levels, t, previous);
    const float alpha = at.alpha_prod / at.alpha_prod_previous;
    return detail::ancestral_step(c, at, alpha, 1.0f - alpha);
}

/// Each timestep leads to the next one, and the last one to x0.
constexpr status plan_schedule(const DDPMSchedulerConfig& c, const noise_levels& levels,
                               const schedule_request& request, schedule& out) {
    std::vector<int> timesteps;
    if (const status s = detail::ancestral_timesteps(c, request, timesteps); !s) return s;
    out.reset(1.0f, 0);
    for (auto i = to_size(request.begin); i < timesteps.size(); ++i)
        out.push(ddpm_coefficients(c, levels, timesteps[i], i + 1 < timesteps.size() ? timesteps[i + 1] : -1));
    return {};
}

/// diffusers' DDPMScheduler. Accepts custom timesteps.
using DDPMScheduler = basic_scheduler<DDPMSchedulerConfig>;

} // namespace apriori
APRIORI_END_EXACT_MATH
