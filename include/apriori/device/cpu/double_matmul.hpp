// SPDX-License-Identifier: Apache-2.0
// Products of doubles: the right operand in panels of two vectors of columns, four rows of the left operand at a time.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

template <class Arch>
struct double_panel {
    using V = value_t<Arch, double>;
    static constexpr int rows = 4;
    static constexpr int columns = 2 * lanes<V>::count;
};

/// sums[M][columns] = a[M, k] times a panel [k][columns].
template <class Arch, int M>
APRIORI_INLINE void multiply_double_panel(const double* a, index_t row, index_t col, const double* panel, index_t k,
                                          double* sums) noexcept {
    using V = value_t<Arch, double>;
    constexpr int L = lanes<V>::count;
    V sum[to_size(M)][2];
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) sum[i][0] = sum[i][1] = lanes<V>::set(0.0);
    for (index_t j = 0; j < k; ++j) {
        const V b0 = lanes<V>::load(panel + j * 2 * L), b1 = lanes<V>::load(panel + j * 2 * L + L);
#pragma GCC unroll 8
        for (int i = 0; i < M; ++i) {
            const V x = lanes<V>::set(a[i * row + j * col]);
            sum[i][0] = multiply_add(x, b0, sum[i][0]);
            sum[i][1] = multiply_add(x, b1, sum[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
        store(sums + i * 2 * L, sum[i][0]);
        store(sums + i * 2 * L + L, sum[i][1]);
    }
}

template <class Arch, class E, class Map>
constexpr std::size_t scratch_bytes(const ops::matmul<E, double, Map>& op) {
    return to_size(op.batch * round_up(op.n, double_panel<Arch>::columns) * op.k) * sizeof(double);
}
template <class Arch, class E, class Map, executor X>
void run(X& x, const ops::matmul<E, double, Map>& op) {
    using P = double_panel<Arch>;
    constexpr index_t C = P::columns;
    const index_t panels = ceil_div(op.n, C);
    double* const packed = reinterpret_cast<double*>(op.scratch);
    const auto one_panel = [&](index_t item, index_t p) {
        double* const panel = packed + (item * panels + p) * C * op.k;
        const double* b = op.b.p + op.b.batch(item) + p * C * op.b.col;
        const index_t cols = (std::min)(op.n - p * C, C);
        for (index_t j = 0; j < op.k; ++j)
            for (index_t c = 0; c < C; ++c) panel[j * C + c] = c < cols ? b[j * op.b.row + c * op.b.col] : 0.0;
        const double* a = op.a.p + op.a.batch(item);
        double sums[to_size(P::rows * C)];
        const auto put = [&](index_t r, index_t count) {
            for (index_t i = 0; i < count; ++i)
                store_row<typename P::V>(op.epilogue, op.out, item * op.m + r + i, sums + i * C, p * C, cols);
        };
        index_t r = 0;
        for (; r + P::rows <= op.m; r += P::rows) {
            multiply_double_panel<Arch, P::rows>(a + r * op.a.row, op.a.row, op.a.col, panel, op.k, sums);
            put(r, P::rows);
        }
        for (; r < op.m; ++r) {
            multiply_double_panel<Arch, 1>(a + r * op.a.row, op.a.row, op.a.col, panel, op.k, sums);
            put(r, 1);
        }
    };
    parallel_ranges(x, op.batch * panels, operations(2, op.batch, op.m, op.n, op.k), [&](index_t first, index_t last) {
        for (index_t i = first; i < last; ++i) one_panel(i / panels, i % panels);
    });
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
