// SPDX-License-Identifier: Apache-2.0
// Products of small matrices: a few columns of the right operand at a time on the stack, without interleaving.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The most inputs of a small product, and the most multiply-adds: beyond them packing saves more than it costs.
inline constexpr index_t small_matmul_depth = 128, small_matmul_work = 32 * 32 * 32;

constexpr bool is_small_matmul(index_t m, index_t n, index_t k) noexcept {
    return k <= small_matmul_depth && m * n * k <= small_matmul_work;
}

/// sums[M][lanes] = a[M, k] times columns [k][lanes], whose rows are `stride` floats apart.
template <class V, int M>
APRIORI_INLINE void multiply_columns(const float* a, index_t row, index_t col, const float* columns, index_t stride,
                                     index_t k, float* sums) noexcept {
    constexpr int L = lanes<V>::count;
    V sum[to_size(M)];
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) sum[i] = lanes<V>::set(0.0f);
    for (index_t j = 0; j < k; ++j) {
        const V b = lanes<V>::load(columns + j * stride);
#pragma GCC unroll 8
        for (int i = 0; i < M; ++i) sum[i] = multiply_add(lanes<V>::set(a[i * row + j * col]), b, sum[i]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) store(sums + i * L, sum[i]);
}

/// Vectors of N floats, for products that would not fill those of Arch.
template <class Arch, int N>
using narrow_value_t = typename value_of_lanes<Arch, N>::type;

/// Computes product `item` of a batch of small ones, in vectors V.
template <class V, class E, class Map>
void multiply_small_by(const ops::matmul<E, float, Map>& op, index_t item) noexcept {
    constexpr int L = lanes<V>::count, M = 4;
    const float* a = op.a.p + op.a.batch(item);
    const float* b = op.b.p + op.b.batch(item);
    alignas(64) float copied[to_size(small_matmul_depth * L)], sums[to_size(M * L)];
    for (index_t c = 0; c < op.n; c += L) {
        const index_t cols = std::min<index_t>(op.n - c, L);
        const bool in_place = cols == L && op.b.col == 1;
        for (index_t j = 0; j < op.k && !in_place; ++j)
            for (index_t l = 0; l < L; ++l) copied[j * L + l] = l < cols ? b[j * op.b.row + (c + l) * op.b.col] : 0.0f;
        const float* columns = in_place ? b + c : copied;
        const index_t stride = in_place ? op.b.row : L;
        index_t r = 0;
        const auto put = [&](int count) {
            for (int i = 0; i < count; ++i)
                store_row<V>(op.epilogue, op.out, item * op.m + r + i, sums + i * L, c, cols);
            r += count;
        };
        while (r + M <= op.m) {
            multiply_columns<V, M>(a + r * op.a.row, op.a.row, op.a.col, columns, stride, op.k, sums);
            put(M);
        }
        while (r < op.m) {
            multiply_columns<V, 1>(a + r * op.a.row, op.a.row, op.a.col, columns, stride, op.k, sums);
            put(1);
        }
    }
}
template <class Arch, class E, class Map>
void multiply_small(const ops::matmul<E, float, Map>& op, index_t item) noexcept {
    constexpr int L = lanes<value_t<Arch>>::count;
    if constexpr (L > 4)
        if (op.n <= 4) return multiply_small_by<narrow_value_t<Arch, 4>>(op, item);
    if constexpr (L > 8)
        if (op.n <= 8) return multiply_small_by<narrow_value_t<Arch, 8>>(op, item);
    multiply_small_by<value_t<Arch>>(op, item);
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
