// SPDX-License-Identifier: Apache-2.0
// vpdpbusd of AVX-512 VNNI: unsigned bytes times signed bytes, four products added to 32 bits without saturation.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot/available.hpp"

#if defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

namespace apriori::cpu_device {

#if defined(__AVX512VNNI__)
template <>
inline constexpr bool has_quads<16> = true;

APRIORI_INLINE __m512i add_quads(__m512i sum, __m512i bytes, __m512i signed_bytes) noexcept {
    return _mm512_dpbusd_epi32(sum, bytes, signed_bytes);
}
#endif

} // namespace apriori::cpu_device
