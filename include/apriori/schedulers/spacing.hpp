// SPDX-License-Identifier: Apache-2.0
// Which training steps are visited with a number of inference steps: linspace, leading and trailing, rounded like
// numpy.
#pragma once

#include "apriori/core/constexpr_math.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/schedulers/options.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

/// numpy.linspace(0, last, count), in descending order.
constexpr std::vector<double> descending_linspace(double last, int count) {
    std::vector<double> out;
    const double step = count > 1 ? last / (count - 1) : 0.0;
    for (int i = count - 1; i >= 0; --i) out.push_back(i == count - 1 && count > 1 ? last : i * step);
    return out;
}

/// The first `count` multiples of ratio, from 0, plus `offset`, in descending order.
constexpr std::vector<double> descending_multiples(int ratio, int count, int offset) {
    std::vector<double> out;
    for (int i = count - 1; i >= 0; --i) out.push_back(double(ratio) * i + offset);
    return out;
}

/// numpy.arange(first, 0, -train / count).round() - 1. For some counts, such as 61 of 1000 training steps, rounding
/// makes numpy's range one longer, and diffusers adds a timestep -1, which indexes the wrong end of its tables. It is
/// left out here.
constexpr std::vector<double> trailing_range(int first, int train, int count) {
    const double start = first, delta = (start - double(train) / count) - start;
    std::vector<double> out;
    for (int i = 0; i < count; ++i) {
        const double t = math::round_half_even(start + i * delta) - 1.0;
        if (t < 0.0) break;
        out.push_back(t);
    }
    return out;
}

/// The timesteps of DDPM and DDIM (rounded to whole training steps) and of Heun (`fractional`).
constexpr std::vector<double> spaced_timesteps(spacing_kind spacing, int train, int count, int offset,
                                               bool fractional) {
    if (spacing == spacing_kind::leading) return descending_multiples(train / count, count, offset);
    if (spacing == spacing_kind::trailing) return trailing_range(train, train, count);
    std::vector<double> out = descending_linspace(train - 1, count);
    if (!fractional)
        for (double& t : out) t = math::round_half_even(t);
    return out;
}

/// An error for custom timesteps that are not whole (unless `fractional`), not in the tables or not descending.
constexpr status check_custom_timesteps(std::span<const float> custom, int train, bool fractional) noexcept {
    for (std::size_t i = 0; i < custom.size(); ++i) {
        const float t = custom[i];
        if (!(t >= 0.0f && t <= float(train - 1)))
            return status::invalid("custom timesteps must be 0 to num_train_timesteps - 1", std::int64_t(i), train);
        if (!fractional && float(int(t)) != t)
            return status::invalid("custom timesteps of this scheduler must be whole numbers");
        if (i > 0 && !(t < custom[i - 1])) return status::invalid("custom timesteps must be descending");
    }
    return {};
}

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
