// SPDX-License-Identifier: Apache-2.0
// Operations of Helium, the vectors of Arm's microcontrollers, for vector_arch<4>, where the compiler's own vectors
// lack them: multiply-adds, and products of bytes sixteen at a time.
#pragma once

#include "apriori/device/cpu/dot.hpp"
#include "apriori/device/cpu/vector_lanes.hpp"

#if defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE >= 2 // with floats
#include <arm_mve.h>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

template <>
inline constexpr int register_count<vector_arch<4>> = 8;

APRIORI_INLINE vectors<4> multiply_add(vectors<4> a, vectors<4> b, vectors<4> c) noexcept {
    return vectors<4>::batch(vfmaq_f32(c.v.data, a.v.data, b.v.data));
}

/// With VMLADAVA: sixteen inputs of one output, gathered from four words of the panel.
template <>
struct byte_dot<vectors<4>, 8> : integer_sums<vectors<4>> {
    static constexpr int taken_off = 128, left_words = 1; // the instruction takes signed bytes

    static void expand(byte_quad quad, std::uint32_t* to) noexcept { *to = std::bit_cast<std::uint32_t>(quad); }
    /// Replaces multiply_words. `words` is a multiple of four.
    template <int M>
    static void multiply(const std::uint32_t* a, const std::uint32_t* w, index_t words, std::int32_t* sums,
                         bool accumulate, block_turn) noexcept {
        constexpr int P = blocking<vector_arch<4>>::panel, outputs = M == 1 ? 4 : 2; // so that sums stay in registers
        const auto every = [](int words) { return vmulq_n_u32(vidupq_n_u32(0, 4), std::uint32_t(words)); }; // in bytes
        const uint32x4_t rows = every(M), columns = every(P), signs = vdupq_n_u32(0x80808080u);
        const auto left = [&](index_t i, int m) {
            return vreinterpretq_s8_u32(vldrwq_gather_offset_u32(a + i * M + m, rows));
        };
        for (int n0 = 0; n0 < P; n0 += outputs) {
            std::int32_t sum[to_size(M)][to_size(outputs)];
#pragma GCC unroll 2
            for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
                for (int n = 0; n < outputs; ++n) sum[m][n] = accumulate ? sums[m * P + n0 + n] : 0;
            for (index_t i = 0; i < words; i += 4) {
                int8x16_t x[to_size(M)];
#pragma GCC unroll 2
                for (int m = 0; m < M; ++m) x[m] = left(i, m);
#pragma GCC unroll 4
                for (int n = 0; n < outputs; ++n) {
                    const uint32x4_t bytes = vldrwq_gather_offset_u32(w + i * P + n0 + n, columns);
                    const int8x16_t v = vreinterpretq_s8_u32(veorq_u32(bytes, signs));
#pragma GCC unroll 2
                    for (int m = 0; m < M; ++m) sum[m][n] = vmladavaq_s8(sum[m][n], v, x[m]);
                }
            }
#pragma GCC unroll 2
            for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
                for (int n = 0; n < outputs; ++n) sums[m * P + n0 + n] = sum[m][n];
        }
    }
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH

#endif
