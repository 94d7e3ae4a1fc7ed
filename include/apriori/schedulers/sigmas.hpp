// SPDX-License-Identifier: Apache-2.0
// Noise levels as sigma = sqrt((1 - alpha_cumprod) / alpha_cumprod), for Heun and DPM-Solver++: interpolation between
// training steps, in double like numpy, and the schedules of Karras et al., exponential and Lu.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/betas.hpp"

#include <cstddef>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

/// sigma of every training step.
constexpr std::vector<float> training_sigmas(const noise_levels& levels) {
    std::vector<float> out;
    for (const float a : levels.alphas_cumprod) out.push_back(sqrt_f32((1.0f - a) / a));
    return out;
}

/// numpy.interp(t, 0 ... n - 1, values): linear, with the end values outside.
constexpr double interpolate(const std::vector<float>& values, double t) noexcept {
    const auto last = values.size() - 1;
    if (t <= 0.0) return values.front();
    if (t >= double(last)) return values.back();
    const auto i = std::size_t(t);
    const double low = values[i], high = values[i + 1];
    return (high - low) * (t - double(i)) + low;
}

/// The fractional training step of a sigma, interpolated by logarithms (_sigma_to_t). `logs` ascend.
constexpr double sigma_to_timestep(double sigma, const std::vector<float>& logs) noexcept {
    const double x = math::log(sigma > 1e-10 ? sigma : 1e-10);
    std::size_t from = 0, to = logs.size(); // the last one that is not above x
    while (to - from > 1) {
        const std::size_t middle = from + (to - from) / 2;
        (x >= logs[middle] ? from : to) = middle;
    }
    const std::size_t low = from + 2 > logs.size() ? logs.size() - 2 : from;
    const double a = logs[low], b = logs[low + 1];
    double w = (a - x) / (a - b);
    w = w < 0.0 ? 0.0 : w > 1.0 ? 1.0 : w;
    return (1.0 - w) * double(low) + w * double(low + 1);
}

/// From `first` down to `last`, evenly spaced in their rho-th roots: equation (5) of arXiv:2206.00364, rho 7.
constexpr std::vector<double> karras_sigmas(double first, double last, int count) {
    const double rho = 7.0, a = math::pow(first, 1.0 / rho), b = math::pow(last, 1.0 / rho);
    std::vector<double> out;
    for (int i = 0; i < count; ++i) {
        const double ramp = i == count - 1 && count > 1 ? 1.0 : i * (count > 1 ? 1.0 / (count - 1) : 0.0);
        out.push_back(math::pow(a + ramp * (b - a), rho));
    }
    return out;
}

/// From `first` down to `last`, evenly spaced in their logarithms: diffusers' exponential sigmas, and Lu's lambdas.
constexpr std::vector<double> exponential_sigmas(double log_first, double log_last, int count) {
    std::vector<double> out;
    const double step = count > 1 ? (log_last - log_first) / (count - 1) : 0.0;
    for (int i = 0; i < count; ++i)
        out.push_back(math::exp(i == count - 1 && count > 1 ? log_last : log_first + i * step));
    return out;
}

constexpr std::vector<float> log_of(const std::vector<float>& values) {
    std::vector<float> out;
    for (const float v : values) out.push_back(log_f32(v));
    return out;
}

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
