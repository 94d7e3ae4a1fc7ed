// SPDX-License-Identifier: Apache-2.0
// Element-wise programs. Several adjacent short rows, such as the three colours of pixels, are processed as one. Few
// long rows are shared among threads in parts. Destinations with gaps are written from a buffer.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/one_operand.hpp"
#include "apriori/device/cpu/reduce.hpp"
#include "apriori/expr/strided.hpp"
#include "apriori/tensor/host_buffer.hpp"

#include <cstdint>
#include <cstring>
#include <numeric>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The most columns of a joined row, and about how many are intended.
inline constexpr index_t joined_columns = 1024, joined_aim = 512;

/// How `rows` rows of `cols` columns of a leaf are joined into one: join changes the leaf accordingly. With 0 rows it
/// only returns whether rows are adjacent. A leaf without a specialisation can't be joined.
template <class P>
struct joined_rows {
    static constexpr bool possible = false;
    static constexpr index_t copies = 0; ///< operands that are repeated in memory
};
template <class T>
struct joined_rows<el::scalar_of<T>> {
    static constexpr bool possible = true;
    static constexpr index_t copies = 0;
    static bool join(const el::scalar_of<T>&, index_t, index_t, float*&) noexcept { return true; }
};
template <>
struct joined_rows<el::vector> {
    static constexpr bool possible = true;
    static constexpr index_t copies = 1;
    static bool join(el::vector& p, index_t cols, index_t rows, float*& memory) noexcept {
        if (rows == 0) return true;
        float* to = std::exchange(memory, memory + joined_columns);
        std::memcpy(to, p.p, to_size(cols) * sizeof(float));
        for (index_t have = cols, all = cols * rows; have < all; have *= 2)
            std::memcpy(to + have, to, to_size((std::min)(have, all - have)) * sizeof(float));
        p.p = to;
        return true;
    }
};
template <class T>
struct joined_rows<el::matrix_of<T>> {
    static constexpr bool possible = true;
    static constexpr index_t copies = 0;
    static bool join(el::matrix_of<T>& p, index_t cols, index_t rows, float*&) noexcept {
        const bool adjacent = p.map.uniform() && p.map.inner == cols;
        if (rows > 0) p.map.inner = cols * rows;
        return adjacent;
    }
};
template <class F, class... P>
struct joined_rows<el::apply<F, P...>> {
    static constexpr bool possible = (joined_rows<P>::possible && ...);
    static constexpr index_t copies = (index_t{0} + ... + joined_rows<P>::copies);
    static bool join(el::apply<F, P...>& p, index_t cols, index_t rows, float*& memory) noexcept {
        return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
            return (joined_rows<P>::join(static_cast<el::pack_element<Is, P>&>(p.programs).value, cols, rows, memory) &&
                    ...);
        }(std::index_sequence_for<P...>{});
    }
};

/// The number of rows that are joined into one that is a multiple of a vector long; 0: joining is not worth it.
template <class V>
constexpr index_t rows_to_join(index_t rows, index_t cols) noexcept {
    constexpr index_t L = lanes<V>::count;
    if (cols < 1 || cols > joined_aim / 4 || L == 1 || (cols % L == 0 && cols >= 4 * L)) return 0;
    const index_t period = std::lcm(cols, L);
    if (period > joined_columns) return 0;
    const index_t join = period / cols * (std::max)(index_t{1}, joined_aim / period);
    return join <= rows ? join : 0;
}

/// The columns of a row that a thread takes if there are few rows, and the columns of a row that is worth sharing.
inline constexpr index_t row_part = 8192, long_row = 4 * row_part;
/// The parts of a row that threads compute. A remainder shorter than a vector belongs to the last one: on its own it
/// would be computed by other instructions, and with other last bits, than the end of a whole row.
constexpr index_t parts_of_row(index_t cols) {
    return (std::max)(cols / row_part + (cols % row_part >= 64 ? 1 : 0), index_t{1});
}

/// Computes columns of a row one at a time. Out of line, with a copy of the row, so that the loop
/// over vectors has the registers.
template <class W, class Row, class T>
APRIORI_NOINLINE void map_rest(Row row, T* to, index_t first, index_t last) noexcept {
    for (index_t c = first; c < last; ++c) store(to + c, row.at(c, W{}));
}
/// Columns before the first one at which a vector fills exactly one cache line; 0 where vectors are shorter than a
/// line. Every unaligned vector would touch two lines.
template <class V, class T>
index_t columns_to_align(const T* to) noexcept {
    constexpr std::size_t line = 64;
    if constexpr (to_size(lanes<V>::count) * sizeof(T) != line)
        return 0;
    else
        return index_t((line - reinterpret_cast<std::uintptr_t>(to) % line) % line / sizeof(T));
}
/// to[c] = row[c] for columns c0 .. c1: the one loop of all maps. It begins and ends with a vector that overlaps its
/// neighbour. These two are computed before the loop and stored after it, since `to` may also be an operand.
template <class V, class Row, class T>
APRIORI_INLINE void map_row(const Row& row, T* to, index_t c0, index_t c1) noexcept {
    constexpr index_t L = lanes<V>::count;
    if constexpr (L > 1) {
        const index_t before = c1 - c0 >= 8 * L ? columns_to_align<V>(to + c0) : 0;
        const index_t first = c0 + before, vectors = first + (c1 - first) / L * L, rest = c1 - vectors;
        const bool overlap = before > 0 || (rest > 0 && vectors > c0);
        T ends[2][to_size(L)];
        if (overlap) {
            store(ends[0], row.at(c0, V{}));
            store(ends[1], row.at(c1 - L, V{}));
        }
        for (index_t c = first; c < vectors; c += L) store(to + c, row.at(c, V{}));
        if (overlap) {
            std::memcpy(to + c0, ends[0], to_size(before) * sizeof(T));
            std::memcpy(to + (c1 - L), ends[1], sizeof(ends[1]));
        } else if (rest > 0)
            map_rest<one_lane_t<V>>(row, to, vectors, c1);
    } else
        map_rest<V>(row, to, c0, c1);
}
/// out[r, c] = program[r, c] for rows r0 .. r1 and columns c0 .. c1.
template <class V, class P, class Out>
APRIORI_NOINLINE void map_rows(const P& program, const Out& out, index_t r0, index_t r1, index_t c0,
                               index_t c1) noexcept {
    for (index_t r = r0; r < r1; ++r) map_row<V>(program.row(r), out.row(r), c0, c1);
}

/// Runs a map whose rows can be joined; returns false, having done nothing, if they can't.
template <class Arch, executor X, class P, class T>
APRIORI_NOINLINE bool run_joined(X& x, const ops::map<P, ops::output_to<T>>& op) {
    using join = joined_rows<P>;
    if constexpr (join::possible && join::copies <= 8) {
        using V = value_for<Arch, P>;
        const index_t k = rows_to_join<V>(op.rows, op.cols);
        if (k == 0 || !op.out.map.uniform() || op.out.map.inner != op.cols) return false;
        alignas(buffer_alignment) float memory[to_size(join::copies > 0 ? join::copies * joined_columns : 1)];
        float* free = memory;
        P program = op.program;
        if (!join::join(program, op.cols, 0, free)) return false;
        join::join(program, op.cols, k, free);
        const index_t joined = op.rows / k, cols = op.cols * k;
        const ops::output_to<T> out{op.out.p, row_map{.inner = cols}};
        parallel_ranges(x, joined, 16 * operations(1, op.rows, op.cols),
                        [&](index_t first, index_t last) { map_rows<V>(program, out, first, last, 0, cols); });
        map_rows<V>(program, out, joined, joined + 1, 0, (op.rows - joined * k) * op.cols);
        return true;
    } else
        return false;
}
template <class Arch, executor X, class P, class Out>
void run(X& x, const ops::map<P, Out>& op);

/// Runs a map that reads one operand many times; returns false, having done nothing, if it also reads others.
template <class Arch, executor X, class P, class Out>
bool run_loading_once(X& x, const ops::map<P, Out>& op) {
    if constexpr (repeats_operand<P>) {
        using leaf = typename only_operand<P>::type;
        using operands = operands_of<leaf, P>;
        const leaf& first = *operands::first(op.program);
        if (!operands::are(op.program, first)) return false;
        using Q = fed<leaf, decltype(operands::without(op.program))>;
        run<Arch>(x, ops::map<Q, Out>{Q{first, operands::without(op.program)}, op.out, op.rows, op.cols});
        return true;
    } else
        return false;
}
/// Runs a map that reduces rows. Each row is reduced once, whichever threads compute its elements.
template <class Arch, executor X, class P, class Out>
void run_reducing(X& x, const ops::map<P, Out>& op) {
    using V = value_for<Arch, P>;
    const bool shared = op.rows < x.concurrency();
    const auto program = in_registers<Arch>(x, op.program, shared);
    const double cost = 16 * operations(1, op.rows, op.cols) + 4 * double(row_flops_of(op.program, op.rows));
    if (!shared)
        return parallel_ranges(x, op.rows, cost, [&](index_t first, index_t last) {
            map_rows<V>(program, op.out, first, last, 0, op.cols);
        });
    for (index_t r = 0; r < op.rows; ++r) {
        const auto row = program.row(r);
        auto* const to = op.out.row(r);
        const index_t parts = parts_of_row(op.cols);
        parallel_ranges(x, parts, 16 * operations(1, op.cols), [&](index_t first, index_t last) {
            map_row<V>(row, to, first * row_part, last == parts ? op.cols : last * row_part);
        });
    }
}
template <class Arch, executor X, class P, class Out>
void run(X& x, const ops::map<P, Out>& op) {
    using V = value_for<Arch, P>;
    if constexpr (el::reduces_rows<P>) return run_reducing<Arch>(x, op);
    if constexpr (requires { run_joined<Arch>(x, op); })
        if (op.rows > 1 && run_joined<Arch>(x, op)) return;
    if (run_loading_once<Arch>(x, op)) return;
    const index_t threads = x.concurrency();
    const index_t parts = op.cols >= long_row && op.rows < 2 * threads && threads > 1 ? parts_of_row(op.cols) : 1;
    parallel_ranges(x, op.rows * parts, 16 * operations(1, op.rows, op.cols), [&](index_t first, index_t last) {
        if (parts == 1) return map_rows<V>(op.program, op.out, first, last, 0, op.cols);
        for (index_t i = first; i < last; ++i) {
            const index_t r = i / parts, k = i % parts;
            map_rows<V>(op.program, op.out, r, r + 1, k * row_part, k + 1 == parts ? op.cols : (k + 1) * row_part);
        }
    });
}

/// The number of columns that are computed before they are stored with gaps.
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
