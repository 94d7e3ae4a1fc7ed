// SPDX-License-Identifier: Apache-2.0
// Norms and reductions of columns, as many side by side as a vector has lanes; and what goes through a row or a column in order:
// running totals, additions to rows by index.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"
#include "apriori/expr/columns.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/scan.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Columns of a program that are reduced together, from row `first` on, as numbers T.
template <class V, class Program, class T>
struct program_columns {
    using value = el::value_beside<V, T>;

    const Program& program;
    index_t first, depth, column;

    value sum(auto f) const noexcept { return joined(T{0}, f, fn::add{}); }
    value product(auto f) const noexcept { return joined(T{1}, f, fn::multiply{}); }
    value(max)(auto f) const noexcept { return joined(apriori::detail::lowest_or_infinity<T>, f, fn::maximum{}); }
    APRIORI_INLINE value element(index_t i) const noexcept {
        return lanes_cast<value>(program.row(first + i).at(column, V{}));
    }

private:
    template <class F, class Join>
    APRIORI_INLINE value joined(T start, F f, Join join) const noexcept {
        value all = lanes<value>::set(start);
        for (index_t i = 0; i < depth; ++i) all = join(all, f(element(i)));
        return all;
    }
};

/// body(columns of group g, first of them) for all columns of an op.
template <class Arch, class Op>
void for_columns_of(executor auto& x, const Op& op, int flops, const auto& body) {
    using input = decltype(op.input);
    using Inner = std::remove_const_t<decltype(op.input.inner)>;
    using V = value_for<Arch, Inner, std::remove_const_t<decltype(op.input.outer)>>;
    constexpr index_t strip = 4 * lanes<V>::count; // columns that a thread takes at a time: whole cache lines
    const index_t strips = ceil_div(op.in.cols, strip);
    const double cost = 4 * operations(flops, op.in.groups, op.in.depth, op.in.cols);
    parallel_ranges(x, op.in.groups * strips, cost, [&](index_t first, index_t last) {
        for (index_t i = first; i < last; ++i) {
            const index_t g = i / strips, c0 = i % strips * strip;
            for_columns<V>(c0, (std::min)(c0 + strip, op.in.cols), [&]<class W>(W, index_t c) {
                body(program_columns<W, Inner, typename input::number>{op.input.inner, g * op.in.depth, op.in.depth, c},
                     g, c);
            });
        }
    });
}
template <class Arch, executor X, class P, class In, class Outer, class Out>
void run(X& x, const ops::reduce_columns<P, In, Outer, Out>& op) {
    for_columns_of<Arch>(x, op, P::flops, [&](const auto& columns, index_t g, index_t c) {
        store(op.out.row(g) + c, op.input.outer.row(g).at(c, op.input.policy.reduce(columns, op.in.depth)));
    });
}
template <class Arch, executor X, class P, class In, class Outer, class Out>
void run(X& x, const ops::normalize_columns<P, In, Outer, Out>& op) {
    for_columns_of<Arch>(x, op, P::flops, [&](const auto& columns, index_t, index_t c) {
        const auto stats = op.input.policy.reduce(columns, op.in.depth);
        for (index_t i = 0, r = columns.first; i < op.in.depth; ++i, ++r)
            store(op.out.row(r) + c, op.input.outer.row(r).at(c, P::apply(stats, columns.element(i))));
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
