// SPDX-License-Identifier: Apache-2.0
// Beta schedules and their cumulative products, rounded as in diffusers and torch.
#pragma once

#include "apriori/core/constexpr_math.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/schedulers/options.hpp"

#include <cstddef>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The noise levels of each training step t: beta, and the cumulative product of (1 - beta) up to and including t.
struct noise_levels {
    std::vector<float> betas;
    std::vector<float> alphas_cumprod;

    constexpr int steps() const noexcept { return int(betas.size()); }
};

namespace detail {

/// torch.linspace in float32: the step in float32, counted from the nearer end, with one rounding for product and sum.
constexpr std::vector<float> torch_linspace(double first, double last, int count) {
    const float start = float(first), end = float(last), step = count > 1 ? (end - start) / float(count - 1) : 0.0f;
    std::vector<float> out(to_size(count), 0.0f);
    for (int i = 0; i < count; ++i)
        at(out, i) = i < count / 2 || count == 1 ? float(start + double{step} * i) //
                                                 : float(end - double{step} * (count - 1 - i));
    return out;
}

/// alpha_bar(t), t in 0 .. 1: the remaining share of the signal.
constexpr double alpha_bar(beta_kind kind, double t) noexcept {
    if (kind == beta_kind::exp) return math::exp(t * -12.0);
    if (kind == beta_kind::laplace) {
        const double sign = 0.5 - t < 0.0 ? -1.0 : 1.0;
        const double snr = math::exp(-0.5 * sign * math::log(1.0 - 2.0 * math::abs(0.5 - t) + 1e-6));
        return math::sqrt(snr / (1.0 + snr));
    }
    const double c = math::cos((t + 0.008) / 1.008 * math::pi / 2.0);
    return c * c;
}

/// betas_for_alpha_bar: in double as in Python, capped at 0.999, stored in float32.
constexpr std::vector<float> betas_for_alpha_bar(beta_kind kind, int count) {
    std::vector<float> out(to_size(count), 0.0f);
    double before = alpha_bar(kind, 0.0);
    for (int i = 0; i < count; ++i) {
        const double after = alpha_bar(kind, (i + 1.0) / count);
        const double beta = 1.0 - after / before;
        at(out, i) = float(beta < 0.999 ? beta : 0.999);
        before = after;
    }
    return out;
}

/// torch.cumprod of 1 - betas: the running product in double, each element rounded to float32.
constexpr std::vector<float> cumulative_alphas(const std::vector<float>& betas) {
    std::vector<float> out(betas.size(), 0.0f);
    double product = 1.0;
    for (std::size_t i = 0; i < betas.size(); ++i) {
        product *= 1.0f - betas[i];
        out[i] = float(product);
    }
    return out;
}

constexpr float sqrt_f32(float x) noexcept { return float(math::sqrt(x)); }
constexpr float exp_f32(float x) noexcept { return float(math::exp(x)); }
constexpr float log_f32(float x) noexcept { return float(math::log(x)); }

/// rescale_zero_terminal_snr: shifts and scales the levels so that the last training step has no signal left.
constexpr void rescale_zero_terminal_snr(std::vector<float>& betas) {
    std::vector<float> bar = cumulative_alphas(betas);
    for (float& v : bar) v = sqrt_f32(v);
    const float first = bar.front(), last = bar.back(), scale = first / (first - last);
    for (float& v : bar) {
        v = (v - last) * scale;
        v = v * v;
    }
    betas[0] = 1.0f - bar[0];
    for (std::size_t i = 1; i < betas.size(); ++i) betas[i] = 1.0f - bar[i] / bar[i - 1];
}

} // namespace detail

/// The options of the beta schedules of all schedulers.
struct beta_options {
    beta_kind kind = beta_kind::squaredcos_cap_v2;
    int num_train_timesteps = 1000;
    double beta_start = 0.0001; ///< not used by the alpha_bar schedules (squaredcos_cap_v2, exp, laplace)
    double beta_end = 0.02;
    bool rescale_zero_snr = false;
};

/// The tables for valid options.
constexpr noise_levels make_noise_levels(const beta_options& o) {
    noise_levels out;
    const int n = o.num_train_timesteps;
    switch (o.kind) {
    case beta_kind::linear:
        out.betas = detail::torch_linspace(o.beta_start, o.beta_end, n);
        break;
    case beta_kind::scaled_linear:
        out.betas = detail::torch_linspace(math::sqrt(o.beta_start), math::sqrt(o.beta_end), n);
        for (float& b : out.betas) b = b * b;
        break;
    case beta_kind::sigmoid:
        out.betas = detail::torch_linspace(-6.0, 6.0, n);
        for (float& b : out.betas) {
            const float s = float(1.0 / (1.0 + math::exp(-b)));
            b = s * float(o.beta_end - o.beta_start) + float(o.beta_start);
        }
        break;
    case beta_kind::squaredcos_cap_v2:
    case beta_kind::exp:
    case beta_kind::laplace:
        out.betas = detail::betas_for_alpha_bar(o.kind, n);
        break;
    }
    if (o.rescale_zero_snr) detail::rescale_zero_terminal_snr(out.betas);
    out.alphas_cumprod = detail::cumulative_alphas(out.betas);
    return out;
}

namespace detail {

/// The beta options in a configuration.
constexpr beta_options betas_of(const auto& c) noexcept {
    beta_options o{.kind = c.beta_schedule, .num_train_timesteps = c.num_train_timesteps};
    if constexpr (requires { c.beta_start; }) {
        o.beta_start = c.beta_start;
        o.beta_end = c.beta_end;
    }
    if constexpr (requires { c.rescale_betas_zero_snr; }) o.rescale_zero_snr = c.rescale_betas_zero_snr;
    return o;
}

/// Checks the fields of betas and timesteps against each other.
constexpr status check_training_steps(const auto& c) noexcept {
    const beta_options o = betas_of(c);
    if (o.rescale_zero_snr && o.num_train_timesteps < 2)
        return status::invalid("rescale_betas_zero_snr needs num_train_timesteps of 2 or more", o.num_train_timesteps,
                               2);
    if (c.steps_offset >= o.num_train_timesteps)
        return status::invalid("steps_offset must be 0 to num_train_timesteps - 1", c.steps_offset,
                               o.num_train_timesteps);
    return {};
}

} // namespace detail

/// The tables for a valid configuration of a scheduler.
template <class Config>
requires requires(const Config& c) { c.beta_schedule; }
constexpr noise_levels make_noise_levels(const Config& c) {
    return make_noise_levels(detail::betas_of(c));
}

} // namespace apriori
APRIORI_END_EXACT_MATH
