// SPDX-License-Identifier: Apache-2.0
// Weights as integers of a scale.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/half.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// x to the nearest integer, ties to even, for magnitudes below 2^22: 1.5 * 2^23 leaves it in the low bits of a sum.
inline std::int32_t rounded(float x) noexcept {
    return std::bit_cast<std::int32_t>(x + 0x1.8p23f) - std::bit_cast<std::int32_t>(0x1.8p23f);
}
inline float largest_magnitude(const float* x, index_t n) noexcept {
    float m = 0;
    for (index_t i = 0; i < n; ++i) m = (std::max)(m, std::fabs(x[i]));
    return m;
}
inline status finite_row(std::span<const float> row) noexcept {
    for (const float x : row)
        if (!is_finite(x)) return status::invalid("pack: a weight is not finite");
    return {};
}

/// q = round(x / scale), -8 .. 7; the scale may be negative.
inline int nearest_nibble(float x, float scale) noexcept {
    return scale != 0 ? rounded((std::min)((std::max)(x / scale, -8.0f), 7.0f)) : 0;
}
/// The scale of a group, a bfloat16: there is one integer more below zero than above, and the number of largest magnitude goes there.
inline float nibble_scale(const float* x, index_t n) noexcept {
    float largest = 0;
    for (index_t i = 0; i < n; ++i)
        if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
    return bfloat16_to_float(float_to_bfloat16(largest / -8.0f));
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
