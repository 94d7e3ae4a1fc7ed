// SPDX-License-Identifier: Apache-2.0
// SMLAD of Cortex-M4, M7 and all others with Arm's 32-bit SIMD: two products of 16-bit integers added to 32 bits.
#pragma once

#include "apriori/core/macros.hpp"

#include <bit>
#include <cstdint>

#if defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#endif

namespace apriori::cpu_device {

#if defined(__ARM_FEATURE_SIMD32)
/// Whether single words have the instruction.
inline constexpr bool has_word_pairs = true;
/// sum + the two products of 16-bit integers of a and b.
APRIORI_INLINE std::int32_t add_word_pairs(std::int32_t sum, std::uint32_t a, std::uint32_t b) noexcept {
    return __smlad(std::bit_cast<int16x2_t>(a), std::bit_cast<int16x2_t>(b), sum);
}
#else
inline constexpr bool has_word_pairs = false;
std::int32_t add_word_pairs(std::int32_t sum, std::uint32_t a, std::uint32_t b) noexcept;
#endif

} // namespace apriori::cpu_device
