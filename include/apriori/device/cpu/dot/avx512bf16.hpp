// SPDX-License-Identifier: Apache-2.0
// vdpbf16ps of AVX512-BF16: pairs of bfloat16, both products added in float32, one after the other. Subnormals count as zero.
#pragma once

#include "apriori/core/macros.hpp"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace apriori::cpu_device {

/// Whether registers of `Lanes` words have the instruction.
template <int Lanes>
inline constexpr bool has_bfloat16_pairs = false;

#if defined(__AVX512BF16__)
template <>
inline constexpr bool has_bfloat16_pairs<16> = true;

APRIORI_INLINE __m512 add_bfloat16_pairs(__m512 sum, __m512i a, __m512i b) noexcept {
    return _mm512_dpbf16_ps(sum, __builtin_bit_cast(__m512bh, a), __builtin_bit_cast(__m512bh, b));
}
#endif

} // namespace apriori::cpu_device
