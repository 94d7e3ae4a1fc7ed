// SPDX-License-Identifier: Apache-2.0
// SDOT of Arm's dot product extension (optional in Armv8.2, part of Armv8.4): signed bytes times signed bytes, four
// products added to 32 bits without saturation.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot/available.hpp"

#if defined(__ARM_NEON) && defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>

namespace apriori::cpu_device {

template <>
inline constexpr bool has_signed_quads<4> = true;

APRIORI_INLINE int32x4_t add_signed_quads(int32x4_t sum, uint32x4_t a, uint32x4_t b) noexcept {
    return vdotq_s32(sum, vreinterpretq_s8_u32(a), vreinterpretq_s8_u32(b));
}

} // namespace apriori::cpu_device
#endif
