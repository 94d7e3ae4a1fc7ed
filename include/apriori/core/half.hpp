// SPDX-License-Identifier: Apache-2.0
// float16 and bfloat16 as bit patterns, to and from float32, in portable integer and float arithmetic. Every value is
// kept: subnormals, infinities, NaN (made quiet). Loops over these conversions vectorise, and their results do not
// change if the processor flushes subnormals.
#pragma once

#include "apriori/core/macros.hpp"

#include <cstdint>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// IEEE 754 binary16 to binary32, exact.
APRIORI_HD constexpr float half_to_float(std::uint16_t h) noexcept {
    const std::uint32_t sign = (h & 0x8000U) << 16;
    const std::uint32_t magnitude = (h & 0x7FFFU) << 13; // exponent and fraction at their positions in binary32
    const std::uint32_t exponent = magnitude & 0x0F800000U;
    // Subnormal: the implicit leading one adds 2^-14, which is subtracted again.
    const std::uint32_t subnormal =
        __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, magnitude + 0x38800000U) - 0x1p-14F);
    const std::uint32_t normal = magnitude + 0x38000000U; // bias 15 to 127
    const std::uint32_t special =
        magnitude | 0x7F800000U | ((h & 0x3FFU) != 0 ? 0x00400000U : 0U); // infinity, quiet NaN
    return __builtin_bit_cast(float, sign | (exponent == 0 ? subnormal : exponent == 0x0F800000U ? special : normal));
}

/// binary32 to IEEE 754 binary16, rounded to nearest, ties to even; from 65520 on the result is infinity.
APRIORI_HD constexpr std::uint16_t float_to_half(float value) noexcept {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    std::uint32_t out = 0;
    if (magnitude > 0x7F800000U) {
        out = 0x7E00U | ((magnitude >> 13) & 0x3FFU); // NaN, made quiet, with the upper part of its payload
    } else if (magnitude >= 0x47800000U) {
        out = 0x7C00U;                     // 65536 and more
    } else if (magnitude >= 0x38800000U) { // normal, 2^-14 and more; a carry of the rounding may reach infinity
        out = (magnitude - 0x38000000U + 0xFFFU + ((magnitude >> 13) & 1U)) >> 13;
    } else if (magnitude > 0x33000000U) { // subnormal: more than half of 2^-24
        const std::uint32_t shift = 126U - (magnitude >> 23);
        const std::uint32_t fraction = (magnitude & 0x7FFFFFU) | 0x800000U;
        const std::uint32_t kept = fraction >> shift;
        const std::uint32_t rest = fraction & ((1U << shift) - 1U);
        const std::uint32_t half = 1U << (shift - 1U);
        out = kept + ((rest > half || (rest == half && (kept & 1U) != 0)) ? 1U : 0U);
    }
    return static_cast<std::uint16_t>(sign | out);
}

/// bfloat16 to binary32, exact; a NaN keeps its payload.
APRIORI_HD constexpr float bfloat16_to_float(std::uint16_t b) noexcept {
    return __builtin_bit_cast(float, std::uint32_t{b} << 16);
}

/// binary32 to bfloat16, rounded to nearest, ties to even; NaN is made quiet.
APRIORI_HD constexpr std::uint16_t float_to_bfloat16(float value) noexcept {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
    const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    const std::uint32_t nan = (bits >> 16) | 0x40U;
    return static_cast<std::uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? nan : rounded);
}

/// The first eight significant bits of x, truncated rather than rounded: a bfloat16, and never infinite if x is finite.
APRIORI_HD constexpr float cut_to_bfloat16(float x) noexcept {
    return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, x) & 0xFFFF0000U);
}
/// The rest of x after these bits, exact: 0 for infinity, NaN for NaN.
APRIORI_HD constexpr float behind_bfloat16(float x) noexcept {
    return x == cut_to_bfloat16(x) ? 0.0F : x - cut_to_bfloat16(x);
}

/// float16 and bfloat16 as elements of tensors: stored in 16 bits, computed with as float.
struct float16 {
    std::uint16_t bits = 0;
    float16() = default;
    APRIORI_HD explicit constexpr float16(float x) noexcept : bits(float_to_half(x)) {}
    APRIORI_HD constexpr operator float() const noexcept { return half_to_float(bits); }
};
struct bfloat16 {
    std::uint16_t bits = 0;
    bfloat16() = default;
    APRIORI_HD explicit constexpr bfloat16(float x) noexcept : bits(float_to_bfloat16(x)) {}
    APRIORI_HD constexpr operator float() const noexcept { return bfloat16_to_float(bits); }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
