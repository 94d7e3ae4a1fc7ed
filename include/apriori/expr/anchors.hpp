// SPDX-License-Identifier: Apache-2.0
// What of an expression is a kernel of its own (an anchor), and which of them the element-wise nodes around fold into.
#pragma once

#include "apriori/expr/attention.hpp"
#include "apriori/expr/cached_attention.hpp"
#include "apriori/expr/linear.hpp"
#include "apriori/expr/normalize.hpp"

namespace apriori::detail {

template <class... T>
struct type_list {
    static constexpr int size = sizeof...(T);
};
template <class... L>
struct join_lists;
template <>
struct join_lists<> {
    using type = type_list<>;
};
template <class... A>
struct join_lists<type_list<A...>> {
    using type = type_list<A...>;
};
template <class... A, class... B, class... Rest>
struct join_lists<type_list<A...>, type_list<B...>, Rest...> {
    using type = typename join_lists<type_list<A..., B...>, Rest...>::type;
};

/// The anchors that element-wise nodes reach from X, left to right. Anything that is not element-wise or a leaf is one.
template <class X>
struct anchors {
    using type = type_list<X>;
};
template <class T, class E, layout L>
struct anchors<view<T, E, L>> {
    using type = type_list<>;
};
template <>
struct anchors<scalar_node> {
    using type = type_list<>;
};
template <>
struct anchors<attention_bias_node> {
    using type = type_list<>;
};
template <class Table, class Rows>
struct anchors<gather_node<Table, Rows>> {
    using type = type_list<>;
};
template <class F, class... A>
struct anchors<elementwise_node<F, A...>> {
    using type = typename join_lists<typename anchors<A>::type...>::type;
};

template <class X>
inline constexpr int anchor_count = anchors<X>::type::size;

/// The anchors of the operands before the one numbered I.
template <std::size_t I, class... A>
inline constexpr int anchors_before = [] {
    int n = 0, i = 0;
    ((n += i++ < static_cast<int>(I) ? anchor_count<A> : 0), ...);
    return n;
}();

/// How much is saved by folding what surrounds an anchor into it; 0: it has no epilogue.
template <class X>
inline constexpr int epilogue_worth = 0;
template <class X, class W>
inline constexpr int epilogue_worth<linear_node<X, W>> = 3;
template <class A, class B>
inline constexpr int epilogue_worth<matmul_node<A, B>> = 3;
template <int H, class... X>
inline constexpr int epilogue_worth<attention_node<fused_attention, H, X...>> = 2;
template <class P, class X>
inline constexpr int epilogue_worth<normalize_node<P, X>> = 1;
template <class P, class X>
inline constexpr int epilogue_worth<reduce_node<P, X>> = 1;

/// True where two shapes are equal as far as the compiler knows.
template <class A, class B>
inline constexpr bool same_extents = [] {
    bool same = A::rank == B::rank;
    for (int i = 0; same && i < A::rank; ++i)
        same = A::fixed(i) == B::fixed(i) || A::fixed(i) == dyn || B::fixed(i) == dyn;
    return same;
}();

/// True where A has an epilogue and the extents of the result, so that nothing is broadcast on the way.
template <class A, class R>
constexpr bool can_be_root() {
    return epilogue_worth<A> > 0 && same_extents<extents_of<A>, R>;
}

/// Which anchor of the list takes the rest as its epilogue: the most worth, the first of equals; -1: none can.
template <class List, class R>
struct root_anchor;
template <class... A, class R>
struct root_anchor<type_list<A...>, R> {
    static constexpr int value = [] {
        constexpr int worth[]{(can_be_root<A, R>() ? epilogue_worth<A> : 0)..., 0};
        int best = -1;
        for (int i = 0; i < static_cast<int>(sizeof...(A)); ++i)
            if (worth[i] > (best < 0 ? 0 : worth[best])) best = i;
        return best;
    }();
};

/// True for an expression that is one norm of something element-wise, with element-wise nodes around it.
template <class List>
inline constexpr bool is_one_norm = false;
template <class P, class X>
inline constexpr bool is_one_norm<type_list<normalize_node<P, X>>> = anchor_count<X> == 0;
template <class List, class R>
inline constexpr bool one_norm_of_shape = is_one_norm<List> && root_anchor<List, R>::value == 0;
template <class X>
inline constexpr bool is_norm_prologue = one_norm_of_shape<typename anchors<X>::type, extents_of<X>>;

template <int N, std::size_t I, class F, class... A>
constexpr const auto& find_anchor_in(const elementwise_node<F, A...>& x);

/// The anchor with that number in X.
template <int N, class X>
constexpr const auto& find_anchor(const X& x) {
    if constexpr (anchors<X>::type::size == 1 && std::is_same_v<typename anchors<X>::type, type_list<X>>)
        return x;
    else
        return find_anchor_in<N, 0>(x);
}
template <int N, std::size_t I, class F, class... A>
constexpr const auto& find_anchor_in(const elementwise_node<F, A...>& x) {
    constexpr int here = anchor_count<std::tuple_element_t<I, std::tuple<A...>>>;
    if constexpr (N < here)
        return find_anchor<N>(std::get<I>(x.args));
    else
        return find_anchor_in<N - here, I + 1>(x);
}

} // namespace apriori::detail
