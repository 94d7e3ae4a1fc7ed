// SPDX-License-Identifier: Apache-2.0
// How formats store weights, as integers with a scale, and which numbers a format cannot hold.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/half.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/core/weight_format.hpp"

#include <cstdint>
#include <span>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

APRIORI_HD constexpr float magnitude(float x) noexcept { return x < 0 ? -x : x; }

/// x rounded to the nearest integer, ties to even, for magnitudes below 2^22: adding 1.5 * 2^23 leaves the integer in
/// the low bits of the sum.
APRIORI_HD constexpr std::int32_t nearest_integer(float x) noexcept {
    return __builtin_bit_cast(std::int32_t, x + 0x1.8p23f) - __builtin_bit_cast(std::int32_t, 0x1.8p23f);
}
APRIORI_HD constexpr float largest_magnitude(const float* x, index_t n) noexcept {
    float m = 0;
    for (index_t i = 0; i < n; ++i) m = magnitude(x[i]) > m ? magnitude(x[i]) : m;
    return m;
}

/// w8: q = round(x / scale), -127 .. 127; the scale is the largest magnitude of the row / 127.
APRIORI_HD constexpr std::int32_t nearest_byte(float x, float scale) noexcept {
    return scale > 0 ? nearest_integer(x / scale) : 0;
}
/// w4: q = round(x / scale), clamped to -8 .. 7; the scale may be negative.
APRIORI_HD constexpr std::int32_t nearest_nibble(float x, float scale) noexcept {
    if (scale == 0) return 0;
    const float q = x / scale;
    return nearest_integer(q < -8.0f ? -8.0f : q > 7.0f ? 7.0f : q);
}
/// The scale of a group of w4, a bfloat16. The number of largest magnitude maps to -8, since there is one more integer
/// below zero than above.
APRIORI_HD constexpr float nibble_scale(const float* x, index_t n) noexcept {
    float largest = 0;
    for (index_t i = 0; i < n; ++i)
        if (magnitude(x[i]) > magnitude(largest)) largest = x[i];
    return bfloat16_to_float(float_to_bfloat16(largest / -8.0f));
}

/// An error if a format cannot hold the weights of an output.
template <class Format>
status representable(std::span<const float> row) noexcept {
    constexpr bool bytes = std::is_same_v<Format, w8> || std::is_same_v<Format, w8a8>;
    if constexpr (std::is_same_v<Format, f32>) return {};
    if (bytes && row.size() > 65536)
        return status::invalid("pack: more than 65536 inputs, whose sums 32 bits do not hold", std::ssize(row), 65536);
    for (const float x : row) {
        if (!is_finite(x)) return status::invalid("pack: a weight is not finite");
        if constexpr (std::is_same_v<Format, f16>)
            if (magnitude(x) > 65504.0f)
                return status::invalid("pack: a weight is past 65504, which f16 cannot hold; use bf16 or f32");
        if constexpr (std::is_same_v<Format, bf16> || std::is_same_v<Format, bf16a16>)
            if (magnitude(x) > 3.38e38f) // smaller numbers round to a finite bfloat16
                return status::invalid("pack: a weight is past 3.38e38, which bf16 cannot hold; use f32");
    }
    return {};
}

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
