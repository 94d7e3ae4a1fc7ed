// SPDX-License-Identifier: Apache-2.0
// Norms and reductions over an axis other than the last: columns side by side, read row by row.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/axes.hpp"
#include "apriori/expr/leaves.hpp"
#include "apriori/expr/plain_row.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace ops {

/// Column c of group g consists of the elements [g * depth + i, c] of a program, i from 0 to depth - 1.
struct column_groups {
    index_t groups, depth, cols;

    constexpr launch describe(const char* name, auto&& input, auto&& add) const {
        launch l{.primitive = name, .batch = groups, .rows = 1, .cols = cols, .depth = depth};
        input.describe_inner(l, groups * depth, cols);
        add(l);
        return l;
    }
};

/// Column c of group g of an op, in the form that policies use.
template <class Program>
struct column_cursor {
    Program program;
    index_t first, column;
    template <class V>
    APRIORI_HD constexpr auto at(index_t i, V v) const {
        return program.row(first + i).at(column, v);
    }
};
template <class Op>
APRIORI_HD constexpr auto plain_column(const Op& op, index_t g, index_t c) {
    using cursor = column_cursor<std::remove_const_t<decltype(op.input.inner)>>;
    return plain_row<cursor, typename decltype(op.input)::number>(cursor{op.input.inner, g * op.in.depth, c},
                                                                  op.in.depth);
}

/// Runs all columns of an op, one after the other.
constexpr status run_columns(const auto& op) {
    for (index_t g = 0; g < op.in.groups; ++g)
        for (index_t c = 0; c < op.in.cols; ++c) op.run_column(g, c);
    return {};
}

/// out[g, c] = outer(policy(column c of group g)).
template <class Policy, class Inner, class Outer, class Out = output>
struct reduce_columns {
    normalized<Policy, Inner, Outer> input;
    Out out;
    column_groups in;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        return in.describe(Policy::name, input, [&](launch& l) {
            l.template add_epilogue<typename Out::element>(input.outer, in.groups, in.cols);
        });
    }
    /// Computes column c of group g in plain loops.
    APRIORI_HD constexpr void run_column(index_t g, index_t c) const {
        put(out.row(g) + c, input.outer.row(g).at(c, input.policy.reduce(plain_column(*this, g, c), in.depth)));
    }
    /// For devices that work in host memory and have no kernel for it.
    template <class Device>
    requires(Device::is_host)
    constexpr status run_on(Device&) const {
        return run_columns(*this);
    }
};

/// out[g * depth + i, c] = outer(policy(column c of group g)[i]).
template <class Policy, class Inner, class Outer, class Out = output>
struct normalize_columns {
    normalized<Policy, Inner, Outer> input;
    Out out;
    column_groups in;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        return in.describe(Policy::name, input, [&](launch& l) {
            l.template add_epilogue<typename Out::element>(input.outer, in.groups * in.depth, in.cols);
        });
    }
    APRIORI_HD constexpr void run_column(index_t g, index_t c) const {
        const auto column = plain_column(*this, g, c);
        const auto stats = input.policy.reduce(column, in.depth);
        for (index_t i = 0, r = g * in.depth; i < in.depth; ++i, ++r)
            put(out.row(r) + c, input.outer.row(r).at(c, Policy::apply(stats, column.element(i))));
    }
    template <class Device>
    requires(Device::is_host)
    constexpr status run_on(Device&) const {
        return run_columns(*this);
    }
};

} // namespace ops

namespace detail {

/// The groups and columns of x [.., depth, cols].
template <class E>
constexpr ops::column_groups column_groups_of(const E& x) {
    constexpr int last = E::rank - 1;
    index_t groups = 1;
    for (int i = 0; i + 1 < last; ++i) groups *= x[i];
    return {groups, x[last - 1], x[last]};
}

} // namespace detail

namespace detail {

/// Applies make to x with Axis moved before the last axis; the result has the axes of x.
template <int Axis, class X>
constexpr auto over_columns(X&& x, const auto& make) {
    constexpr int before = extents_of<X>::rank - 2;
    if constexpr (Axis == before)
        return make(as_node(std::forward<X>(x)));
    else
        return transpose<Axis, before>(make(transpose<Axis, before>(as_node(std::forward<X>(x)))));
}

} // namespace detail

} // namespace apriori
APRIORI_END_EXACT_MATH
