// SPDX-License-Identifier: Apache-2.0
// Rows of element-wise programs: evaluating, reducing, normalising and storing them.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/blocking.hpp"
#include "apriori/device/cpu/executor.hpp"
#include "apriori/expr/plain_row.hpp"

#include <array>
#include <limits>
#include <utility>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The value type of a program on an architecture: vectors of floats, or of doubles if
/// something in it takes eight bytes.
template <class Arch, class... P>
using value_for = value_t<Arch, std::conditional_t<(el::is_wide<P> || ...), double, float>>;

/// A row of a program, for the reductions of norms, which compute in T.
template <class V, class Cursor, class T = float>
struct program_row {
    using value = el::value_beside<one_lane_t<V>, T>;

    Cursor cursor;
    index_t cols;

    value sum(auto f) const noexcept { return joined(0, cols, T{0}, f, fn::add{}); }
    value product(auto f) const noexcept { return joined(0, cols, T{1}, f, fn::multiply{}); }
    value(max)(auto f) const noexcept {
        return joined(0, cols, apriori::detail::lowest_or_infinity<T>, f, fn::maximum{});
    }
    auto first(auto f) const noexcept {
        index_t c = 0;
        while (c < cols && number_in(f(element<one_lane_t<V>>(c))) == T{0}) ++c;
        return one_lane(std::int64_t{c});
    }

    /// f of columns c .. last, joined in chains that do not wait for one another; `start` is neutral. Functions such as
    /// exp are inlined here, so that those of the chains overlap.
    template <class F, class Join>
    [[gnu::flatten]] value joined(index_t c, index_t last, T start, F f, Join join) const noexcept {
        using Vs = el::value_beside<V, T>;
        constexpr index_t chains = 4, L = lanes<V>::count;
        Vs part[chains];
#pragma GCC unroll 4
        for (Vs& p : part) p = lanes<Vs>::set(start);
        const bool short_row = last - c < L; // shorter than a vector: the chains are not joined
        for (; c + chains * L <= last; c += chains * L)
#pragma GCC unroll 4
            for (index_t i = 0; i < chains; ++i) part[i] = join(part[i], f(element<V>(c + i * L)));
        value tail = lanes<value>::set(start);
        for_columns<V>(c, last, [&]<class W>(W, index_t at) {
            const auto x = f(element<W>(at));
            if constexpr (std::is_same_v<W, V>)
                part[0] = join(part[0], x);
            else
                tail = join(tail, x);
        });
        if (L > 1 && short_row) return tail;
        const auto join_numbers = [&](T a, T b) { return number_in(join(one_lane(a), one_lane(b))); };
        return join(one_lane(join_lanes(join(join(part[0], part[1]), join(part[2], part[3])), join_numbers)), tail);
    }

private:
    /// The columns from c on, as numbers of type T.
    template <class W>
    APRIORI_INLINE auto element(index_t c) const noexcept {
        return lanes_cast<el::value_beside<W, T>>(cursor.at(c, W{}));
    }
};
template <class V, class T = float, class Cursor>
program_row<V, Cursor, T> make_program_row(Cursor cursor, index_t cols) {
    return {cursor, cols};
}

/// to[0 .. last - first) = columns first .. last of row r of a contraction's left operand; `stats` is from prepare_row.
template <class V, class Program, class Stats, class T>
APRIORI_INLINE void fill_row(const ops::mapped<Program>& in, index_t r, const Stats&, index_t first, index_t last,
                             T* to) noexcept {
    const auto row = in.program.row(r);
    // inlined wherever rows are filled: a called lambda would reload the row's pointers and numbers for every vector
    for_columns<V>(first, last, [&]<class W>(W, index_t c) __attribute__((always_inline)) {
        store(to + (c - first), row.at(c, W{}));
    });
}
template <class V, class Policy, class Inner, class Outer, class Stats, class T>
APRIORI_INLINE void fill_row(const ops::normalized<Policy, Inner, Outer>& in, index_t r, const Stats& stats,
                             index_t first, index_t last, T* to) noexcept {
    const auto inner = in.inner.row(r);
    const auto outer = in.outer.row(r);
    for_columns<V>(first, last, [&]<class W>(W, index_t c) {
        const auto x =
            lanes_cast<el::value_beside<W, typename ops::normalized<Policy, Inner, Outer>::number>>(inner.at(c, W{}));
        store(to + (c - first), outer.at(c, Policy::apply(stats, x)));
    });
}

struct no_stats {};
/// What a row must be reduced to before its elements can be computed.
template <class V, class Program>
no_stats prepare_row(const ops::mapped<Program>&, index_t, index_t) noexcept {
    return {};
}
template <class V, class Policy, class Inner, class Outer>
auto prepare_row(const ops::normalized<Policy, Inner, Outer>& in, index_t r, index_t cols) noexcept {
    return in.policy.reduce(
        make_program_row<V, typename ops::normalized<Policy, Inner, Outer>::number>(in.inner.row(r), cols), cols);
}

/// Columns of a left operand that are computed at a time, on the stack.
inline constexpr index_t left_slice = 64;

/// to[j][i] = from[i][j] for four rows of four floats.
APRIORI_INLINE void transpose_4x4(const float* from, index_t from_row, float* to, index_t to_row) noexcept {
    using four = float __attribute__((vector_size(16)));
    four r[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) __builtin_memcpy(&r[i], from + i * from_row, sizeof(four));
    const four a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const four c = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    const four t[4] = {__builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7),
                       __builtin_shufflevector(c, d, 0, 1, 4, 5), __builtin_shufflevector(c, d, 2, 3, 6, 7)};
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) __builtin_memcpy(to + j * to_row, &t[j], sizeof(four));
}

/// to[j][M] = rows[M][j] for j below `count`.
template <int M>
void interleave_columns(const float (*rows)[left_slice], index_t count, float* to) noexcept {
    index_t j = 0;
    for (; M >= 4 && j + 4 <= count; j += 4, to += 4 * M) {
#pragma GCC unroll 4
        for (int i = 0; i + 4 <= M; i += 4) transpose_4x4(rows[i] + j, left_slice, to + i, M);
        for (int i = M / 4 * 4; i < M; ++i)
#pragma GCC unroll 4
            for (int c = 0; c < 4; ++c) to[c * M + i] = rows[i][j + c];
    }
    for (; j < count; ++j, to += M)
        for (int i = 0; i < M; ++i) to[i] = rows[i][j];
}
template <int Rows>
inline constexpr auto interleave_columns_of = by_row_count<Rows>([]<int M>() { return &interleave_columns<M>; });

/// Writes rows first .. last of a left operand, interleaved in blocks as described in
/// panel_product.hpp; `to` points to row 0.
template <class Arch, class Input>
void interleave_rows(const Input& in, index_t first, index_t last, index_t block, index_t k, float* to) noexcept {
    using V = value_t<Arch>;
    constexpr int M = blocking<Arch>::rows;
    for (index_t r0 = first; r0 < last; r0 += block) {
        const index_t m = (std::min)(last - r0, block);
        decltype(prepare_row<V>(in, r0, k)) stats[to_size(M)];
        for (index_t i = 0; i < m; ++i) stats[i] = prepare_row<V>(in, r0 + i, k);
        const auto interleave = at(interleave_columns_of<M>, m - 1);
        for (index_t c = 0; c < k; c += left_slice) {
            const index_t count = (std::min)(k - c, left_slice);
            float part[to_size(M)][to_size(left_slice)];
            for (index_t i = 0; i < m; ++i) fill_row<V>(in, r0 + i, stats[i], c, c + count, part[i]);
            interleave(part, count, to + r0 * k + c * m);
        }
    }
}

/// Multiplies a row [panel] of results.
template <class Arch>
void multiply_row(float* row, float x) noexcept {
    using V = value_t<Arch>;
    for_columns<V>(0, blocking<Arch>::panel,
                   [&]<class U>(U, index_t c) { store(row + c, lanes<U>::load(row + c) * lanes<U>::set(x)); });
}

/// Stores row r of a result: out[c] = program(value(c)) for columns first .. first + cols;
/// `values` are the kernel's results.
template <class V, class Program, class Out, class T>
APRIORI_INLINE void store_row(const Program& program, const Out& out, index_t r, const T* values, index_t first,
                              index_t cols) noexcept {
    const auto row = program.row(r);
    auto* to = out.row(r);
    for_columns<V>(first, first + cols,
                   [&]<class W>(W, index_t c) { store(to + c, row.at(c, lanes<W>::load(values + (c - first)))); });
}

/// Calls body(r) for every row of a result that takes `flops` operations an element.
void for_rows(executor auto& x, const auto& op, int flops, const auto& body) {
    parallel_ranges(x, op.rows, 4 * operations(flops, op.rows, op.cols), [&](index_t first, index_t last) {
        for (index_t r = first; r < last; ++r) body(r);
    });
}

/// Computes row r of a norm.
template <class V, class Op>
void normalize_row(const Op& op, index_t r) noexcept {
    fill_row<V>(op.input, r, prepare_row<V>(op.input, r, op.cols), 0, op.cols, op.out.row(r));
}

/// By default, primitives need no scratch.
template <class Arch, class Op>
constexpr std::size_t scratch_bytes(const Op&) noexcept {
    return 0;
}
template <class Arch, executor X, class P, class In, class Outer, class Out>
void run(X& x, const ops::normalize<P, In, Outer, Out>& op) {
    for_rows(x, op, P::flops, [&](index_t r) { normalize_row<value_for<Arch, In, Outer>>(op, r); });
}
} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
