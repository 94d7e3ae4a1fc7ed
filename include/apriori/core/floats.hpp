// SPDX-License-Identifier: Apache-2.0
// Tests for NaN and infinity by bits: compiler flags may let comparisons and <cmath> assume that all numbers are
// finite.
#pragma once

#include "apriori/core/macros.hpp"

#include <cstdint>

namespace apriori {

APRIORI_HD constexpr bool is_nan(float x) noexcept {
    return (__builtin_bit_cast(std::uint32_t, x) & 0x7fffffffU) > 0x7f800000U;
}
APRIORI_HD constexpr bool is_nan(double x) noexcept {
    return (__builtin_bit_cast(std::uint64_t, x) & 0x7fffffffffffffffULL) > 0x7ff0000000000000ULL;
}
/// Neither NaN nor infinite.
APRIORI_HD constexpr bool is_finite(float x) noexcept {
    return (__builtin_bit_cast(std::uint32_t, x) & 0x7f800000U) != 0x7f800000U;
}
APRIORI_HD constexpr bool is_finite(double x) noexcept {
    return (__builtin_bit_cast(std::uint64_t, x) & 0x7ff0000000000000ULL) != 0x7ff0000000000000ULL;
}

} // namespace apriori
