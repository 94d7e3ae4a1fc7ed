// SPDX-License-Identifier: Apache-2.0
// Element-wise programs: of short rows, such as the three colours of pixels, several adjacent ones are processed as one; few long rows
// are shared among threads in parts; destinations with gaps are written from a buffer.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"
#include "apriori/expr/strided.hpp"
#include "apriori/tensor/host_buffer.hpp"

#include <cstring>
#include <numeric>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Columns of a joined row, at most; about so many are sought.
inline constexpr index_t joined_columns = 1024, joined_aim = 512;

/// How a leaf is read where rows are joined; a leaf that is not listed can't be.
template <class P>
struct joined_rows {
    static constexpr bool possible = false;
    static constexpr index_t copies = 0; ///< operands that are repeated in memory
};
template <class T>
struct joined_rows<el::scalar_of<T>> {
    static constexpr bool possible = true;
    static constexpr index_t copies = 0;
    static bool adjacent(const el::scalar_of<T>&, index_t) noexcept { return true; }
    static auto join(const el::scalar_of<T>& p, index_t, index_t, float*&) noexcept { return p; }
};
template <>
struct joined_rows<el::vector> {
    static constexpr bool possible = true;
    static constexpr index_t copies = 1;
    static bool adjacent(const el::vector&, index_t) noexcept { return true; }
    static el::vector join(const el::vector& p, index_t cols, index_t rows, float*& memory) noexcept {
        float* to = memory;
        memory += joined_columns;
        std::memcpy(to, p.p, to_size(cols) * sizeof(float));
        for (index_t have = cols, all = cols * rows; have < all; have *= 2)
            std::memcpy(to + have, to, to_size((std::min)(have, all - have)) * sizeof(float));
        return {to};
    }
};
template <class T>
struct joined_rows<el::matrix_of<T>> {
    using matrix = el::matrix_of<T>;
    static constexpr bool possible = true;
    static constexpr index_t copies = 0;
    static bool adjacent(const matrix& p, index_t cols) noexcept { return p.map.uniform() && p.map.inner == cols; }
    static matrix join(const matrix& p, index_t cols, index_t rows, float*&) noexcept {
        return {p.p, row_map{.inner = cols * rows}};
    }
};
template <class F, class... P>
struct joined_rows<el::apply<F, P...>> {
    static constexpr bool possible = (joined_rows<P>::possible && ...);
    static constexpr index_t copies = [] {
        if constexpr (possible)
            return (index_t{0} + ... + joined_rows<P>::copies);
        else
            return index_t{0};
    }();
    static bool adjacent(const el::apply<F, P...>& p, index_t cols) noexcept {
        return el::unpack([&](const P&... part) { return (joined_rows<P>::adjacent(part, cols) && ...); }, p.programs);
    }
    static auto join(const el::apply<F, P...>& p, index_t cols, index_t rows, float*& memory) noexcept {
        return el::unpack(
            [&](const P&... part) {
                return el::apply<F, decltype(joined_rows<P>::join(part, cols, rows, memory))...>{
                    p.f, {{joined_rows<P>::join(part, cols, rows, memory)}...}};
            },
            p.programs);
    }
};

/// Rows that are joined into one, such that it ends where a vector does; 0: these are not worth it.
template <class V>
constexpr index_t rows_to_join(index_t rows, index_t cols) noexcept {
    constexpr index_t L = lanes<V>::count;
    if (cols < 1 || cols > joined_aim / 4 || L == 1 || (cols % L == 0 && cols >= 4 * L)) return 0;
    const index_t period = std::lcm(cols, L);
    if (period > joined_columns) return 0;
    const index_t join = period / cols * (std::max)(index_t{1}, joined_aim / period);
    return join <= rows ? join : 0;
}

/// Columns of a row that a thread takes where there are few rows; and of a row that is worth sharing.
inline constexpr index_t row_part = 8192, long_row = 4 * row_part;

/// Runs a map whose rows can be joined; false where they can't.
template <class Arch, executor X, class P, class T>
APRIORI_NOINLINE bool run_joined(X& x, const ops::map<P, ops::output_to<T>>& op) {
    using join = joined_rows<P>;
    if constexpr (join::possible && join::copies <= 8) {
        using V = value_for<Arch, P>;
        const index_t k = rows_to_join<V>(op.rows, op.cols);
        if (k == 0 || !op.out.map.uniform() || op.out.map.inner != op.cols || !join::adjacent(op.program, op.cols))
            return false;
        alignas(buffer_alignment) float memory[to_size(join::copies > 0 ? join::copies * joined_columns : 1)];
        float* free = memory;
        const auto program = join::join(op.program, op.cols, k, free);
        const ops::mapped<std::remove_const_t<decltype(program)>> in{program};
        const index_t joined = op.rows / k, cols = op.cols * k;
        parallel_ranges(x, joined, 16 * operations(1, op.rows, op.cols), [&](index_t first, index_t last) {
            for (index_t r = first; r < last; ++r) fill_row<V>(in, r, no_stats{}, 0, cols, op.out.p + r * cols);
        });
        const ops::mapped<P> rest{op.program};
        for (index_t r = joined * k; r < op.rows; ++r) fill_row<V>(rest, r, no_stats{}, 0, op.cols, op.out.row(r));
        return true;
    } else
        return false;
}
// Each way in a function of its own: the compiler gives up on the registers of one that has them all.
template <class Arch, executor X, class P, class Out>
APRIORI_NOINLINE void run_rows(X& x, const ops::map<P, Out>& op) {
    const ops::mapped<P> in{op.program};
    for_rows(x, op, 4, [&](index_t r) { fill_row<value_for<Arch, P>>(in, r, no_stats{}, 0, op.cols, op.out.row(r)); });
}
template <class Arch, executor X, class P, class Out>
APRIORI_NOINLINE void run_parts_of_rows(X& x, const ops::map<P, Out>& op) {
    const ops::mapped<P> in{op.program};
    const index_t parts = ceil_div(op.cols, row_part);
    parallel_ranges(x, op.rows * parts, 16 * operations(1, op.rows, op.cols), [&](index_t first, index_t last) {
        for (index_t i = first; i < last; ++i) {
            const index_t r = i / parts, c = i % parts * row_part;
            fill_row<value_for<Arch, P>>(in, r, no_stats{}, c, (std::min)(c + row_part, op.cols), op.out.row(r) + c);
        }
    });
}
template <class Arch, executor X, class P, class Out>
void run(X& x, const ops::map<P, Out>& op) {
    if constexpr (requires { run_joined<Arch>(x, op); })
        if (op.rows > 1 && run_joined<Arch>(x, op)) return;
    if (op.cols >= long_row && op.rows < 2 * x.concurrency() && x.concurrency() > 1)
        run_parts_of_rows<Arch>(x, op);
    else
        run_rows<Arch>(x, op);
}

/// Columns of a row that are computed before they are stored with gaps.
inline constexpr index_t scattered_columns = 256;

template <class Arch, executor X, class P, class Out>
void run(X& x, const ops::map_strided<P, Out>& op) {
    using V = value_for<Arch, P>;
    using T = typename Out::element;
    const ops::mapped<P> in{op.program};
    const index_t parts = ceil_div(op.cols, scattered_columns), stride = op.stride;
    parallel_ranges(x, op.rows * parts, 16 * operations(1, op.rows, op.cols), [&](index_t first, index_t last) {
        for (index_t i = first; i < last; ++i) {
            const index_t r = i / parts, c = i % parts * scattered_columns;
            const index_t count = (std::min)(op.cols - c, scattered_columns);
            T values[to_size(scattered_columns)];
            fill_row<V>(in, r, no_stats{}, c, c + count, values);
            T* to = op.out.row(r) + c * stride;
            for (index_t k = 0; k < count; ++k, to += stride) *to = values[k];
        }
    });
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
