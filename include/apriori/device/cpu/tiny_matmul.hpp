// SPDX-License-Identifier: Apache-2.0
// Batches of products with a square right operand of a few rows, such as rotations. An item's rows are in registers.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/small_matmul.hpp"

#include <cstring>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The rows of a right operand [N, N], each followed by padding to L floats: in place if what follows a
/// row may be read, else a copy.
template <index_t N, index_t L>
class tiny_right {
public:
    explicit tiny_right(const ops::batched_matrix& b, index_t batch) noexcept
        : b_(b),
          in_place_(b.col == 1 && b.row == N && (L == N || (b.batch.uniform() && b.batch.inner == N * N))),
          // the memory may end after the last row of the last item
          readable_(L == N ? batch : batch - 1),
          same_(b.batch.uniform() && b.batch.inner == 0) {}

    const float* item(index_t i) noexcept {
        const float* p = b_.p + b_.batch(i);
        if (in_place_ && i < readable_) return p;
        if (!same_ || !copied_) {
            for (index_t j = 0; j < N; ++j)
                for (index_t c = 0; c < N; ++c) copy_[j * L + c] = p[j * b_.row + c * b_.col];
            copied_ = true;
        }
        return copy_;
    }
    index_t row(const float* item) const noexcept { return item == copy_ ? L : N; }

private:
    ops::batched_matrix b_;
    bool in_place_;
    index_t readable_;
    bool same_, copied_ = false;
    alignas(64) float copy_[to_size(N * L)]{};
};

/// Computes items first .. last of a batch with right operands [N, N], in vectors V of N lanes or more; a result that
/// does not fill one is stored by Short. Square: the left operands are [N, N], too, their columns are contiguous, and
/// the rows of results have equal distances, so that the compiler unrolls an item.
template <class V, class Short, int N, bool Square, class E>
void multiply_tiny(const ops::matmul<E>& op, index_t first, index_t last) noexcept {
    constexpr int L = lanes<V>::count;
    tiny_right<N, L> right(op.b, op.batch);
    const index_t row = op.a.row, col = Square ? 1 : op.a.col, m = Square ? N : op.m, out_row = op.out.map.inner;
    for (index_t i = first; i < last; ++i) {
        const float *a = op.a.p + op.a.batch(i), *item = right.item(i);
        const index_t step = right.row(item);
        V b[to_size(N)];
#pragma GCC unroll 8
        for (int j = 0; j < N; ++j) b[j] = lanes<V>::load(item + j * step);
        float* to = Square ? op.out.p + i * m * out_row : nullptr;
#pragma GCC unroll 8
        for (index_t r = 0; r < m; ++r, a += row) {
            V sum = lanes<V>::set(a[0]) * b[0];
#pragma GCC unroll 8
            for (int j = 1; j < N; ++j) sum = multiply_add(lanes<V>::set(a[j * col]), b[j], sum);
            float* y = Square ? to + r * out_row : op.out.row(i * m + r);
            if constexpr (L == N)
                store(y, op.epilogue.row(i * m + r).at(0, sum));
            else {
                alignas(64) float sums[to_size(L)];
                store(sums, sum);
                if constexpr (std::is_same_v<E, el::acc>)
                    std::memcpy(y, sums, to_size(N) * sizeof(float));
                else
                    store_row<Short>(op.epilogue, op.out, i * m + r, sums, 0, N);
            }
        }
    }
}

/// Registers of floats whose lanes the compiler shuffles; they hold four rows of four, or two of them.
template <class V>
concept holds_rows_of_four = V::native && (lanes<V>::count == 8 || lanes<V>::count == 16);

/// The lanes 4 J .. 4 J + 3, repeated.
template <int J, holds_rows_of_four V>
APRIORI_INLINE V repeated_four(V x) noexcept {
    return [&]<int... Ls>(std::integer_sequence<int, Ls...>) __attribute__((always_inline)) {
        return V(typename V::batch(__builtin_shufflevector(x.v.data, x.v.data, (4 * J + Ls % 4)...)));
    }(std::make_integer_sequence<int, lanes<V>::count>{});
}
/// Lane J of each group of four lanes, in all four.
template <int J, holds_rows_of_four V>
APRIORI_INLINE V spread_in_fours(V x) noexcept {
    return [&]<int... Ls>(std::integer_sequence<int, Ls...>) __attribute__((always_inline)) {
        return V(typename V::batch(__builtin_shufflevector(x.v.data, x.v.data, (Ls / 4 * 4 + J)...)));
    }(std::make_integer_sequence<int, lanes<V>::count>{});
}

/// Computes items first .. last of a batch of dense products [4, 4] [4, 4]: a register holds
/// all rows of a result, or two.
template <holds_rows_of_four V, class E>
void multiply_fours(const ops::matmul<E>& op, index_t first, index_t last) noexcept {
    constexpr int L = lanes<V>::count;
    for (index_t i = first; i < last; ++i) {
        const float *a = op.a.p + op.a.batch(i), *b = op.b.p + op.b.batch(i);
        const auto row_of_b = [b]<int R>(std::integral_constant<int, R>) __attribute__((always_inline)) {
            return repeated_four<R % (L / 4)>(lanes<V>::load(b + R / (L / 4) * L));
        };
        const V b0 = row_of_b(std::integral_constant<int, 0>{}), b1 = row_of_b(std::integral_constant<int, 1>{}),
                b2 = row_of_b(std::integral_constant<int, 2>{}), b3 = row_of_b(std::integral_constant<int, 3>{});
#pragma GCC unroll 2
        for (int r = 0; r < 16; r += L) {
            const V x = lanes<V>::load(a + r);
            V sum = spread_in_fours<0>(x) * b0;
            sum = multiply_add(spread_in_fours<1>(x), b1, sum);
            sum = multiply_add(spread_in_fours<2>(x), b2, sum);
            store(op.out.p + 16 * i + r, multiply_add(spread_in_fours<3>(x), b3, sum));
        }
    }
}
/// Whether a batch consists of such products.
template <class E>
bool are_fours(const ops::matmul<E>& op) noexcept {
    const auto dense = [](const ops::batched_matrix& x) { return x.row == 4 && x.col == 1; };
    return std::is_same_v<E, el::acc> && op.m == 4 && op.n == 4 && op.k == 4 && dense(op.a) && dense(op.b) &&
           op.out.map.uniform() && op.out.map.inner == 4;
}

/// Runs a batch of products whose right operands are [N, N] with N = 2, 3, 4, 6 or 8; returns false for others.
template <class Arch, class E, class Map, executor X>
bool run_tiny(X&, const ops::matmul<E, float, Map>&) {
    return false; // of many axes
}
template <class Arch, class E, executor X>
bool run_tiny(X& x, const ops::matmul<E>& op) {
    if (lanes<value_t<Arch>>::count < 4 || op.n != op.k || op.batch < 2) return false;
    const auto run = [&]<int N>() {
        using Short = narrow_value_t<Arch, 4>;
        using V = std::conditional_t<(N > 4), narrow_value_t<Arch, 8>, Short>;
        const bool square = op.m == N && op.a.col == 1 && op.out.map.uniform();
        if constexpr (lanes<V>::count >= N)
            parallel_ranges(x, op.batch, operations(8, op.batch, op.m, op.n, op.k), [&](index_t first, index_t last) {
                square ? multiply_tiny<V, Short, N, true>(op, first, last)
                       : multiply_tiny<V, Short, N, false>(op, first, last);
            });
        return lanes<V>::count >= N;
    };
    if constexpr (holds_rows_of_four<value_t<Arch>>)
        if (are_fours(op)) {
            parallel_ranges(x, op.batch, operations(8, op.batch, 4, 4, 4),
                            [&](index_t first, index_t last) { multiply_fours<value_t<Arch>>(op, first, last); });
            return true;
        }
    switch (op.n) {
    case 2:
        return run.template operator()<2>();
    case 3:
        return run.template operator()<3>();
    case 4:
        return run.template operator()<4>();
    case 6:
        return run.template operator()<6>();
    case 8:
        return run.template operator()<8>();
    default:
        return false;
    }
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
