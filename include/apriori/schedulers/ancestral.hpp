// SPDX-License-Identifier: Apache-2.0
// What the ancestral schedulers UnCLIP, DDPM and DDIM share: the noise levels between which a step goes, and DDPM's
// step.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/scheduler.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

/// How x0 follows from (sample, output): formula (15) of arXiv:2006.11239 and, for v, appendix D of arXiv:2202.00512.
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

/// The noise levels of a step from training step t to `previous`. Below 0 is the end, where alpha_prod is `end`.
struct step_levels {
    int t;
    float alpha_prod, alpha_prod_previous;
    float beta_prod = 1.0f - alpha_prod, beta_prod_previous = 1.0f - alpha_prod_previous;

    constexpr step_levels(const noise_levels& levels, int from, int previous, float end = 1.0f) noexcept
        : t(from),
          alpha_prod(at(levels.alphas_cumprod, from)),
          alpha_prod_previous(previous >= 0 ? at(levels.alphas_cumprod, previous) : end) {}

    /// A step that begins at this level: its prediction and clipping, and add_noise to this level.
    constexpr step_coefficients begin(const auto& c) const noexcept {
        step_coefficients s;
        s.timestep = float(t);
        set_prediction(s, c.prediction_type, sqrt_f32(alpha_prod), sqrt_f32(beta_prod));
        if (c.clip_sample) s.clip_range = c.clip_sample_range;
        s.signal = sqrt_f32(alpha_prod);
        s.level = sqrt_f32(beta_prod);
        return s;
    }
};

/// DDPM's step with these alpha and beta: formulas (6), (7) and (15) of arXiv:2006.11239.
constexpr step_coefficients ancestral_step(const auto& c, const step_levels& at, float alpha, float beta) noexcept {
    step_coefficients s = at.begin(c);
    s.to_x0 = sqrt_f32(at.alpha_prod_previous) * beta / at.beta_prod;
    s.to_sample = sqrt_f32(alpha) * at.beta_prod_previous / at.beta_prod;
    s.learned_variance = c.variance_type == variance_kind::learned_range;
    s.draws_noise = at.t > 0;
    if (!s.draws_noise) return s;
    const float unfloored = at.beta_prod_previous / at.beta_prod * beta;
    const float variance = unfloored > 1e-20f ? unfloored : 1e-20f; // log 0 would lead to NaN
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
    return s;
}

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
