// SPDX-License-Identifier: Apache-2.0
// The inner product of every contraction: interleaved rows times a panel of outputs.
//
// The left operand is packed in blocks of up to blocking::rows rows, [k][rows of the block], so that a kernel reads both
// operands front to back. A block of m rows that begins at row r lies at r * k.
#pragma once

#include "apriori/device/cpu/blocking.hpp"

#include <array>
#include <utility>

namespace apriori {

/// tile[M][panel] (+)= a[k][M]^T b[k][panel].
template <class Arch, int M>
void multiply_block(const float* a, const float* b, index_t k, float* tile, bool accumulate) noexcept {
    using V = value_t<Arch>;
    constexpr int N = blocking<Arch>::vectors, L = lanes<V>::count;
    V sum[M][N];
    if (accumulate) {
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[m][n] = lanes<V>::load(tile + m * N * L + n * L);
    } else {
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[m][n] = lanes<V>::set(0.0f);
    }
    for (index_t i = 0; i < k; ++i, a += M, b += N * L) {
        V w[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) w[n] = lanes<V>::load(b + n * L);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
            const V x = lanes<V>::set(a[m]);
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[m][n] = multiply_add(x, w[n], sum[m][n]);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) store(tile + m * N * L + n * L, sum[m][n]);
}

using multiply_block_t = void (*)(const float*, const float*, index_t, float*, bool) noexcept;

/// The kernels for 1 .. blocking::rows rows.
template <class Arch>
inline constexpr auto multiply_block_of = []<int... I>(std::integer_sequence<int, I...>) {
    return std::array<multiply_block_t, sizeof...(I)>{multiply_block<Arch, I + 1>...};
}
(std::make_integer_sequence<int, blocking<Arch>::rows>{});

/// tile[rows][panel] = the product of `rows` interleaved rows, which begin at a block of theirs, with one panel b[k][panel].
/// A stretch of `depth` of the panel at a time stays in the L1 cache while all rows pass over it.
template <class Arch>
void multiply_panel(const float* a, index_t rows, const float* b, index_t k, float* tile) noexcept {
    constexpr int M = blocking<Arch>::rows, P = blocking<Arch>::panel;
    for (index_t k0 = 0; k0 < k || k0 == 0; k0 += blocking<Arch>::depth) {
        const index_t depth = k - k0 < blocking<Arch>::depth ? k - k0 : blocking<Arch>::depth;
        for (index_t r = 0; r < rows; r += M) {
            const index_t m = rows - r < M ? rows - r : M;
            multiply_block_of<Arch>[static_cast<std::size_t>(m - 1)](a + r * k + k0 * m, b + k0 * P, depth,
                                                                     tile + r * P, k0 != 0);
        }
    }
}

} // namespace apriori
