// SPDX-License-Identifier: Apache-2.0
// pmaddwd of SSE2, AVX2 and AVX512BW: pairs of 16-bit integers, two products added in 32 bits. pmaddubsw would take the
// bytes directly, but its 16-bit sums saturate: two products of 255 * 127 exceed 32767.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot/available.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace apriori::cpu_device {

#if defined(__SSE2__)
template <>
inline constexpr bool has_pairs<4> = true;
APRIORI_INLINE __m128i multiply_pairs(__m128i a, __m128i b) noexcept { return _mm_madd_epi16(a, b); }
#endif
#if defined(__AVX2__)
template <>
inline constexpr bool has_pairs<8> = true;
APRIORI_INLINE __m256i multiply_pairs(__m256i a, __m256i b) noexcept { return _mm256_madd_epi16(a, b); }
#endif
#if defined(__AVX512BW__)
template <>
inline constexpr bool has_pairs<16> = true;
APRIORI_INLINE __m512i multiply_pairs(__m512i a, __m512i b) noexcept { return _mm512_madd_epi16(a, b); }
#endif

} // namespace apriori::cpu_device
