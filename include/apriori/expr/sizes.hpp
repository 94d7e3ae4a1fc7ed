// SPDX-License-Identifier: Apache-2.0
// Run-time extents: whether those of an expression fit together. Its type has answered for the static ones.
#pragma once

#include "apriori/expr/attention.hpp"
#include "apriori/expr/linear.hpp"
#include "apriori/expr/normalize.hpp"

namespace apriori::detail {

/// True where an operand of shape E can be read in a result of shape R. An axis of run-time extent 1 broadcasts, but the
/// last one: kernels read columns side by side, or one number for the row, and which of them is compiled in.
template <class E, class R>
constexpr bool operand_fits(const E& e, const R& r) {
    if constexpr (E::rank > R::rank)
        return false;
    else if constexpr (E::rank == 0)
        return true;
    else
        return fits_into(e, r) && (E::fixed(E::rank - 1) == 1 || e[E::rank - 1] == r[R::rank - 1]);
}

/// True where two shapes are equal in rank and in every extent.
template <class A, class B>
constexpr bool equal_extents(const A& a, const B& b) {
    if constexpr (A::rank != B::rank)
        return false;
    else
        return same_sizes(a, b);
}

template <class... S>
constexpr status first_error(const S&... all) {
    status s;
    ((s = s.ok() ? all : s), ...);
    return s;
}

constexpr status fitting(bool fit, const char* what, index_t got, index_t limit) {
    return fit ? status{} : status::shape(what, got, limit);
}

/// What is wrong below x; ok for a leaf.
template <class X>
constexpr status check_sizes(const X&) {
    return {};
}
template <class F, class... A>
constexpr status check_sizes(const elementwise_node<F, A...>& x);
template <class X, class W>
constexpr status check_sizes(const linear_node<X, W>& x);
template <class A, class B>
constexpr status check_sizes(const matmul_node<A, B>& m);
template <class P, class X>
constexpr status check_sizes(const normalize_node<P, X>& x);
template <class P, class X>
constexpr status check_sizes(const reduce_node<P, X>& x);
template <int Axis, class... X>
constexpr status check_sizes(const concat_node<Axis, X...>& c);
template <class Op, class X>
constexpr status check_sizes(const view_op_node<Op, X>& x);
template <class P, int H, class... X>
constexpr status check_sizes(const attention_node<P, H, X...>& a);

/// What is wrong with x as an operand in a result of shape R.
template <class X, class R>
constexpr status check_operand(const X& x, const R& result) {
    return first_error(fitting(operand_fits(x.ext(), result), "expression: run-time extents do not fit together",
                               x.ext().size(), result.size()),
                       check_sizes(x));
}
template <class Table, class Rows, class R>
constexpr status check_operand(const gather_node<Table, Rows>& g, const R& result) {
    return fitting(equal_extents(g.ext(), result), "gather: gathered rows do not broadcast", g.ext().size(),
                   result.size());
}
template <class R>
constexpr status check_operand(const attention_bias_node& b, const R& result) {
    return fitting(equal_extents(b.ext(), result), "attention_bias: its extents are not those of the scores",
                   b.ext().size(), result.size());
}
template <class F, class... A, class R>
constexpr status check_operand(const elementwise_node<F, A...>& x, const R& result) {
    return std::apply([&](const auto&... a) { return first_error(check_operand(a, result)...); }, x.args);
}

template <class F, class... A>
constexpr status check_sizes(const elementwise_node<F, A...>& x) {
    return check_operand(x, x.ext());
}
template <class X, class W>
constexpr status check_sizes(const linear_node<X, W>& x) {
    return check_sizes(x.x);
}
template <class A, class B>
constexpr status check_sizes(const matmul_node<A, B>& m) {
    constexpr int last = extents_of<A>::rank - 1;
    const auto a = m.a.ext();
    const auto b = m.b.ext();
    status s = fitting(a[last] == b[last - 1], "matmul: the inner extents differ", a[last], b[last - 1]);
    for (int i = 0; i + 1 < last; ++i)
        s = first_error(s, fitting(a[i] == b[i], "matmul: the batch extents differ", a[i], b[i]));
    return first_error(s, check_sizes(m.a), check_sizes(m.b));
}
template <class P, class X>
constexpr status check_sizes(const normalize_node<P, X>& x) {
    return check_sizes(x.x);
}
template <class P, class X>
constexpr status check_sizes(const reduce_node<P, X>& x) {
    return check_sizes(x.x);
}
template <int Axis, class... X>
constexpr status check_sizes(const concat_node<Axis, X...>& c) {
    const auto whole = c.ext();
    const auto part = [&whole](const auto& x) {
        status s;
        for (int i = 0; i < std::remove_cvref_t<decltype(whole)>::rank; ++i)
            if (i != Axis)
                s = first_error(s, fitting(x.ext()[i] == whole[i],
                                           "concat: extents differ on another axis than that of "
                                           "the concatenation",
                                           x.ext()[i], whole[i]));
        return first_error(s, check_sizes(x));
    };
    return std::apply([&](const auto&... x) { return first_error(part(x)...); }, c.parts);
}
template <class Op, class X>
constexpr status check_sizes(const view_op_node<Op, X>& x) {
    return first_error(x.op.check(x.x.ext()), check_sizes(x.x));
}
template <class P, int H, class... X>
constexpr status check_sizes(const attention_node<P, H, X...>& a) {
    const index_t rows = a.rows.count * a.rows.tokens;
    const auto one = [rows](const auto& x) {
        return first_error(
            fitting(x.ext()[0] == rows, "attention: rows are not sequences times tokens", x.ext()[0], rows),
            check_sizes(x));
    };
    return std::apply([&](const auto&... x) { return first_error(one(x)...); }, a.operands);
}

} // namespace apriori::detail
