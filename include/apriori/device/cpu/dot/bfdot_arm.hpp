// SPDX-License-Identifier: Apache-2.0
// BFDOT of Arm's bfloat16 extension (FEAT_BF16, part of Armv8.6): pairs of bfloat16, both products, which are exact, added to one another,
// and then to float32. Subnormals count as zero. Both additions round to odd: each errs by less than a unit in the last place, twice as much
// as one that rounds to nearest. There are half as many on the way of a sum, so K products err by (K + 2) / 2 u of the sum of magnitudes,
// u being 2^-23, against K / 2 u of K multiply-adds.
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
/// x rounded to bfloat16, halves to even, at `to`; and as floats.
APRIORI_INLINE float32x4_t store_bfloat16(void* to, float32x4_t x) noexcept {
    const uint16x4_t rounded = vreinterpret_u16_bf16(vcvt_bf16_f32(x));
    std::memcpy(to, &rounded, sizeof rounded);
    return vreinterpretq_f32_u32(vshll_n_u16(rounded, 16));
}

} // namespace apriori::cpu_device
#endif
