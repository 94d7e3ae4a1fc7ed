// SPDX-License-Identifier: Apache-2.0
// Norms and reductions of columns, as many at a time as a vector has lanes; and what processes a row or a column in
// order: running totals, and additions to rows by index.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"
#include "apriori/device/cpu/several.hpp"
#include "apriori/expr/columns.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/scan.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The fewest rows of a part of a long column, and the most parts. The parts depend only on the column's length, so
/// that any number of threads gives the same bits, and the error of a long sum is that of its parts.
inline constexpr index_t column_part = 512, column_parts = 16;
constexpr index_t parts_of_column(index_t depth) noexcept {
    return (std::max)(index_t{1}, (std::min)(depth / column_part, column_parts));
}

/// K registers of columns of a program, which are reduced together from row `first` on, in numbers of type T. Each
/// row's part is read front to back, and the sums of the registers do not wait for one another.
template <class V, int K, class Program, class T, executor X>
struct program_columns {
    using one = el::value_beside<V, T>;
    using value = std::conditional_t<K == 1, one, several<one, K>>;

    const Program& program;
    index_t first, depth, column;
    X& threads;
    double cost; ///< of a reduction whose parts are shared among threads; 0: parts are not shared

    APRIORI_INLINE value sum(auto f) const noexcept { return joined(T{0}, f, fn::add{}); }
    value product(auto f) const noexcept { return joined(T{1}, f, fn::multiply{}); }
    value(max)(auto f) const noexcept { return joined(apriori::detail::lowest_or_infinity<T>, f, fn::maximum{}); }
    APRIORI_INLINE value element(index_t i) const noexcept {
        const auto row = program.row(first + i);
        index_t c = column;
#if defined(__GNUC__) // otherwise the compiler keeps each offset in a register
        __asm__ volatile("" : "+r"(c));
#endif
        const auto at = [&](index_t k) __attribute__((always_inline)) {
            return lanes_cast<one>(row.at(c + k * lanes<V>::count, V{}));
        };
        if constexpr (K == 1)
            return at(0);
        else
            return value::made(at);
    }

private:
    // inlined, so that values stay in registers
    template <class F, class Join>
    APRIORI_INLINE value joined(T start, F f, Join join) const noexcept {
        const index_t parts = parts_of_column(depth);
        return parts == 1 ? joined_rows(0, depth, start, f, join) : joined_parts(parts, start, f, join);
    }
    template <class F, class Join>
    APRIORI_NOINLINE value joined_parts(index_t parts, T start, F f, Join join) const noexcept {
        value part[to_size(column_parts)];
        parallel_ranges(threads, parts, cost, [&](index_t from, index_t to) {
            for (index_t p = from; p < to; ++p)
                part[p] = joined_rows(depth * p / parts, depth * (p + 1) / parts, start, f, join);
        });
        value all = part[0];
        for (index_t p = 1; p < parts; ++p) all = join(all, part[p]);
        return all;
    }
    template <class F, class Join>
    APRIORI_INLINE value joined_rows(index_t from, index_t to, T start, F f, Join join) const noexcept {
        value all = lanes<value>::set(start);
        for (index_t i = from; i < to; ++i) all = join(all, f(element(i)));
        return all;
    }
};

/// to[0 .. K registers) = program(columns from c on, their reduced values).
template <class V, int K, class Row, class W, class T>
APRIORI_INLINE void store_columns(const Row& row, index_t c, const W& computed, T* to) noexcept {
    if constexpr (K == 1)
        store(to, row.at(c, computed));
    else
        for (int k = 0; k < K; ++k)
            store(to + k * lanes<V>::count, row.at(c + k * lanes<V>::count, computed.v[to_size(k)]));
}

/// body(columns, group, first column) for all columns of an op.
template <class Arch, class Op>
void for_columns_of(executor auto& x, const Op& op, int flops, const auto& body) {
    using input = decltype(op.input);
    using Inner = std::remove_const_t<decltype(op.input.inner)>;
    using V = value_for<Arch, Inner, std::remove_const_t<decltype(op.input.outer)>>;
    using T = typename input::number;
    using X = std::remove_reference_t<decltype(x)>;
    constexpr index_t L = lanes<V>::count;
    constexpr int K = sizeof(V) >= 64 ? 16 : L > 1 ? 8 : 1; // half of the architecture's registers
    constexpr index_t strip = L > 1 ? K * L : 16;
    const index_t strips = ceil_div(op.in.cols, strip), items = op.in.groups * strips;
    const double cost = 4 * operations(flops, op.in.groups, op.in.depth, op.in.cols);
    const bool shares_rows = items < x.concurrency() && parts_of_column(op.in.depth) > 1;
    const auto run = [&](index_t first, index_t last) {
        for (index_t i = first; i < last; ++i) {
            const index_t g = i / strips, c0 = i % strips * strip, end = (std::min)(c0 + strip, op.in.cols);
            const auto part = [&]<class W, int N>(W, std::integral_constant<int, N>, index_t c) {
                body(program_columns<W, N, Inner, T, X>{op.input.inner, g * op.in.depth, op.in.depth, c, x,
                                                        shares_rows ? cost / double(items) : 0},
                     g, c);
            };
            if (K > 1 && end - c0 == strip)
                part(V{}, std::integral_constant<int, K>{}, c0);
            else
                for_columns<V>(c0, end, [&](auto v, index_t c) { part(v, std::integral_constant<int, 1>{}, c); });
        }
    };
    if (shares_rows)
        run(0, items);
    else
        parallel_ranges(x, items, cost, run);
}
template <class Arch, executor X, class P, class In, class Outer, class Out>
void run(X& x, const ops::reduce_columns<P, In, Outer, Out>& op) {
    for_columns_of<Arch>(x, op, P::flops,
                         [&]<class W, int K, class Inner, class T>(const program_columns<W, K, Inner, T, X>& columns,
                                                                   index_t g, index_t c) {
                             store_columns<W, K>(op.input.outer.row(g), c, op.input.policy.reduce(columns, op.in.depth),
                                                 op.out.row(g) + c);
                         });
}
template <class Arch, executor X, class P, class In, class Outer, class Out>
void run(X& x, const ops::normalize_columns<P, In, Outer, Out>& op) {
    for_columns_of<Arch>(x, op, P::flops,
                         [&]<class W, int K, class Inner, class T>(const program_columns<W, K, Inner, T, X>& columns,
                                                                   index_t, index_t c) {
                             const auto stats = op.input.policy.reduce(columns, op.in.depth);
                             parallel_ranges(x, op.in.depth, columns.cost, [&](index_t first, index_t last) {
                                 for (index_t i = first; i < last; ++i) {
                                     const index_t r = columns.first + i;
                                     store_columns<W, K>(op.input.outer.row(r), c, P::apply(stats, columns.element(i)),
                                                         op.out.row(r) + c);
                                 }
                             });
                         });
}

template <class Arch, executor X, class P, class In, class Out>
void run(X& x, const ops::scan<P, In, Out>& op) {
    for_rows(x, op, 4, [&](index_t r) { ops::scan_row(op, r); });
}

template <class Arch, executor X, class T>
void run(X& x, const ops::scatter_add<T>& op) {
    parallel_ranges(x, op.cols, operations(4, op.count, op.cols), [&](index_t first, index_t last) {
        for (index_t i = 0; i < op.count; ++i) op.add_row(i, first, last);
    });
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
