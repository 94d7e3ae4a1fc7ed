// SPDX-License-Identifier: Apache-2.0
// BFDOT of Arm's bfloat16 extension (FEAT_BF16, part of Armv8.6): pairs of bfloat16. Both products, which are exact,
// are added to each other and then to float32. Subnormals count as zero. Both additions round to odd: each errs by less
// than a unit in the last place, twice as much as rounding to nearest. A sum takes half as many of them, so K products
// err by (K + 2) / 2 u times the sum of magnitudes, with u = 2^-23, against K / 2 u for K multiply-adds.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot/available.hpp"

#if defined(__ARM_NEON) && defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include <arm_neon.h>

#include <cstring>

namespace apriori::cpu_device {

template <>
inline constexpr bool has_bfloat16_pairs<4> = true;

APRIORI_INLINE float32x4_t add_bfloat16_pairs(float32x4_t sum, uint32x4_t a, uint32x4_t b) noexcept {
    return vbfdotq_f32(sum, vreinterpretq_bf16_u32(a), vreinterpretq_bf16_u32(b));
}
/// Stores x at `to`, rounded to bfloat16, halves to even; returns the rounded values as floats.
APRIORI_INLINE float32x4_t store_bfloat16(void* to, float32x4_t x) noexcept {
    const uint16x4_t rounded = vreinterpret_u16_bf16(vcvt_bf16_f32(x));
    std::memcpy(to, &rounded, sizeof rounded);
    return vreinterpretq_f32_u32(vshll_n_u16(rounded, 16));
}

} // namespace apriori::cpu_device
#endif
