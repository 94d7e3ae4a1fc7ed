// SPDX-License-Identifier: Apache-2.0
// Which nodes of an expression need their own kernel (its anchors), and into which of them the element-wise nodes
// around them are folded.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/elementwise.hpp"
#include "apriori/expr/ops.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

template <class X>
inline constexpr bool is_elementwise = false;
template <class F, class... A>
inline constexpr bool is_elementwise<elementwise_node<F, A...>> = true;

/// The number of arguments of an element-wise node.
template <class X>
inline constexpr int argument_count = 0;
template <class F, class... A>
inline constexpr int argument_count<elementwise_node<F, A...>> = sizeof...(A);

/// A node that needs its own kernel.
template <class X>
concept anchor = !leaf<X> && !is_elementwise<X>;

/// The number of anchors that element-wise nodes reach from X; they are numbered from left to right.
template <class X>
inline constexpr int anchor_count = anchor<X> ? 1 : 0;
template <class F, class... A>
inline constexpr int anchor_count<elementwise_node<F, A...>> = (0 + ... + anchor_count<A>);

/// The number of the first anchor in operand Is of A.
template <int Is, class... A>
inline constexpr int first_anchor = [] {
    int n = 0, i = 0;
    ((n += i++ < Is ? anchor_count<A> : 0), ...);
    return n;
}();

/// How much is saved by folding the nodes around an anchor into it; 0 if it has no epilogue.
template <class X>
inline constexpr int epilogue_worth = [] {
    if constexpr (requires { X::epilogue_worth; })
        return X::epilogue_worth;
    else
        return 0;
}();

/// True if the kernel of an anchor can write to an Out (ops::output_to); one that does not say so writes only floats.
template <class X, class Out>
inline constexpr bool writes_to = [] {
    if constexpr (requires { X::template writes<Out>; })
        return X::template writes<Out>;
    else
        return std::is_same_v<Out, ops::output>;
}();

/// True if a shape A equals that of the result, R, as far as is known at compile time. A static extent of 1 counts as
/// broadcast if the result's extent is known only at run time.
template <class A, class R>
inline constexpr bool same_extents = [] {
    bool same = A::rank == R::rank;
    for (int i = 0; same && i < A::rank; ++i)
        same = A::fixed(i) == R::fixed(i) || A::fixed(i) == dyn || (R::fixed(i) == dyn && A::fixed(i) != 1);
    return same;
}();

/// Finds the anchor that takes the rest as its epilogue in a result of shape R that goes to an Out: the one of most
/// worth, the first among equals. It must have the extents of the result, so that it is not broadcast.
template <class R, class Out>
struct root_search {
    int root = -1, worth = 0, next = 0;

    template <class X>
    constexpr void visit(std::type_identity<X>) {
        if constexpr (anchor<X>) {
            if (epilogue_worth<X> > worth && writes_to<X, Out> && same_extents<extents_of<X>, R>) {
                root = next;
                worth = epilogue_worth<X>;
            }
            ++next;
        }
    }
    template <class F, class... A>
    constexpr void visit(std::type_identity<elementwise_node<F, A...>>) {
        (visit(std::type_identity<A>{}), ...);
    }
};
/// The number of that anchor; -1 if there is none.
template <class X, class R, class Out>
inline constexpr int root_anchor = [] {
    root_search<R, Out> search;
    search.visit(std::type_identity<X>{});
    return search.root;
}();

/// The anchor numbered N in X.
template <int N, anchor X>
constexpr const X& find_anchor(const X& x) {
    return x;
}
template <int N, int Is = 0, class F, class... A>
constexpr const auto& find_anchor(const elementwise_node<F, A...>& x) {
    if constexpr (N < first_anchor<Is + 1, A...>)
        return find_anchor<N - first_anchor<Is, A...>>(el::get<Is>(x.args));
    else
        return find_anchor<N, Is + 1>(x);
}

/// True for an expression of one norm of something element-wise, with element-wise nodes around it: a contraction can
/// compute it while reading rows.
template <class X>
inline constexpr bool is_norm_prologue = [] {
    if constexpr (anchor_count<X> == 1 && root_anchor<X, extents_of<X>, ops::output> == 0) {
        using norm = std::remove_cvref_t<decltype(find_anchor<0>(std::declval<const X&>()))>;
        return requires { requires norm::is_prologue && std::is_same_v<element_of<norm>, float>; };
    } else
        return false;
}();

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
