// SPDX-License-Identifier: Apache-2.0
// vdpbf16ps of AVX512-BF16: pairs of bfloat16, both products added to float32, one after the
// other. Subnormals count as zero.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot/available.hpp"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace apriori::cpu_device {

#if defined(__AVX512BF16__)
template <>
inline constexpr bool has_bfloat16_pairs<16> = true;

APRIORI_INLINE __m512 add_bfloat16_pairs(__m512 sum, __m512i a, __m512i b) noexcept {
    return _mm512_dpbf16_ps(sum, __builtin_bit_cast(__m512bh, a), __builtin_bit_cast(__m512bh, b));
}
/// Stores x at `to`, rounded to bfloat16, halves to even; returns the rounded values as floats.
APRIORI_INLINE __m512 store_bfloat16(void* to, __m512 x) noexcept {
    const __m256i rounded = __builtin_bit_cast(__m256i, _mm512_cvtneps_pbh(x));
    _mm256_storeu_si256(static_cast<__m256i*>(to), rounded);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(rounded), 16));
}
#endif

} // namespace apriori::cpu_device
