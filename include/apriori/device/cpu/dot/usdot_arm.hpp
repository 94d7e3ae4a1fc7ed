// SPDX-License-Identifier: Apache-2.0
// USDOT of Arm's 8-bit matrix multiplication (FEAT_I8MM, part of Armv8.6): unsigned bytes times signed bytes, four
// products added to 32 bits without saturation. USMMLA of the same extension makes twice as many products, of two
// rows and two outputs with eight inputs each. But it needs sums in squares of two by two, and the kernels here keep
// those of the outputs of one row.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot/available.hpp"

#if defined(__ARM_NEON) && defined(__ARM_FEATURE_MATMUL_INT8)
#include <arm_neon.h>

namespace apriori::cpu_device {

template <>
inline constexpr bool has_quads<4> = true;

APRIORI_INLINE int32x4_t add_quads(int32x4_t sum, uint32x4_t bytes, uint32x4_t signed_bytes) noexcept {
    return vusdotq_s32(sum, vreinterpretq_u8_u32(bytes), vreinterpretq_s8_u32(signed_bytes));
}

} // namespace apriori::cpu_device
#endif
