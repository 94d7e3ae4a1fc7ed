// SPDX-License-Identifier: Apache-2.0
// Contractions: linear layers over packed weights, and products of two activations.
#pragma once

#include "apriori/expr/anchors.hpp"
#include "apriori/expr/leaves.hpp"
#include "apriori/expr/shape_ops.hpp"

namespace apriori {

/// A weight matrix [Out, In] in the form that a device packed it: y = x W^T. `Packed` is the device's own handle.
template <class Packed, index_t Out, index_t In>
struct weight {
    static constexpr index_t out_features = Out;
    static constexpr index_t in_features = In;
    Packed packed{};
};

template <class W>
inline constexpr bool is_weight = false;
template <class P, index_t N, index_t K>
inline constexpr bool is_weight<weight<P, N, K>> = true;

namespace detail {

/// x as the left operand of a contraction: rows of a program, where the device takes that or x is in memory; normalised rows
/// where it takes those; or else rows of a temporary.
template <class Context, class X>
constexpr auto contraction_input(Context& to, const X& x) {
    constexpr bool fuses = Context::device_type::fuses_prologue;
    if constexpr (anchor_count<X> == 0 && (is_view<X> || fuses)) {
        const auto p = to.program(x, x.ext());
        return ops::mapped<std::remove_const_t<decltype(p)>>{p};
    } else if constexpr (fuses && is_norm_prologue<X>) {
        const auto& norm = find_anchor<0>(x);
        to.check(fitting(same_sizes(norm.ext(), x.ext()),
                         "linear: a norm of one row is broadcast; write it to a temporary first", norm.ext().rows(),
                         x.ext().rows()));
        const auto inner = to.program(norm.x, norm.x.ext());
        const auto outer = to.template program_around<0>(x, x.ext());
        return ops::normalized<std::remove_cvref_t<decltype(norm.policy)>, std::remove_const_t<decltype(inner)>,
                               std::remove_const_t<decltype(outer)>>{norm.policy, inner, outer};
    } else {
        const auto p = leaf_program(to.in_memory(x), x.ext());
        return ops::mapped<std::remove_const_t<decltype(p)>>{p};
    }
}

} // namespace detail

/// x [.., In] times W^T -> [.., Out].
template <class X, class W>
struct linear_node {
    using apriori_expression = void;
    static constexpr const char* name = "linear";
    using x_extents = extents_of<X>;
    static constexpr int last = x_extents::rank - 1;
    static_assert(require_shapes<"linear", x_extents, extents<W::out_features, W::in_features>,
                                 (x_extents::rank > 0 && x_extents::fixed(last) == W::in_features)>::value);
    using extents_type = typename with_extent<x_extents, last, W::out_features>::type;
    static constexpr int epilogue_worth = 3;

    X x;
    W w;

    constexpr extents_type ext() const {
        auto sizes = x.ext().sizes;
        at(sizes, last) = W::out_features;
        return extents_of_sizes<extents_type>(sizes);
    }
    constexpr status check() const { return check_extents(x); }

    template <class Context, class Out, class E>
    constexpr void lower(Context& to, const Out& out, const E& epilogue) const {
        const auto in = detail::contraction_input(to, x);
        to.run(ops::contraction<std::remove_const_t<decltype(in)>, std::remove_cvref_t<decltype(w.packed)>, E>{
            in, w.packed, epilogue, detail::output_of(out), out.ext().rows(), W::out_features, W::in_features});
    }
};

/// a [.., M, K] times b [.., K, N] -> [.., M, N]; leading axes are equal. Both operands are activations.
template <class A, class B>
struct matmul_node {
    using apriori_expression = void;
    static constexpr const char* name = "matmul";
    using ea = extents_of<A>;
    using eb = extents_of<B>;
    static constexpr int rank = ea::rank;
    static constexpr bool fit = [] {
        if (ea::rank != eb::rank || ea::rank < 2) return false;
        for (int i = 0; i + 2 < ea::rank; ++i)
            if (ea::fixed(i) != eb::fixed(i)) return false;
        return ea::fixed(ea::rank - 1) == eb::fixed(eb::rank - 2);
    }();
    static_assert(require_shapes<"matmul", ea, eb, fit>::value);
    using extents_type = typename with_extent<ea, rank - 1, eb::fixed(rank - 1)>::type;
    static constexpr int epilogue_worth = 3;

    A a;
    B b;

    constexpr extents_type ext() const {
        auto sizes = a.ext().sizes;
        at(sizes, rank - 1) = b.ext()[rank - 1];
        return extents_of_sizes<extents_type>(sizes);
    }
    constexpr status check() const {
        const auto sa = a.ext();
        const auto sb = b.ext();
        constexpr auto& inner =
            detail::on_axis<"matmul: the second operand's rows are not as many as the first's axis ">;
        status s = detail::fitting(sa[rank - 1] == sb[rank - 2], at(inner, rank - 1).text, sa[rank - 1], sb[rank - 2]);
        for (int i = 0; i + 2 < rank; ++i)
            s = detail::first_error(
                s, detail::fitting(sa[i] == sb[i], at(detail::misfits<"matmul">, i).text, sa[i], sb[i]));
        return detail::first_error(s, check_extents(a), check_extents(b));
    }

    template <class Context, class Out, class E>
    constexpr void lower(Context& to, const Out& out, const E& epilogue) const {
        const auto left = to.in_memory(a);
        const auto right = to.in_memory(b);
        index_t batch = 1;
        for (int i = 0; i + 2 < rank; ++i) batch *= out.ext()[i];
        to.run(ops::matmul<E>{detail::matrices_of(left), detail::matrices_of(right), epilogue, detail::output_of(out),
                              batch, out.ext()[rank - 2], out.ext()[rank - 1], left.ext()[rank - 1]});
    }
};

template <expression A, expression B>
constexpr auto matmul(A&& a, B&& b) {
    return matmul_node<node_t<A>, node_t<B>>{as_node(std::forward<A>(a)), as_node(std::forward<B>(b))};
}

/// x W^T for a packed weight.
template <expression X, class P, index_t N, index_t K>
constexpr auto linear(X&& x, const weight<P, N, K>& w) {
    return linear_node<node_t<X>, weight<P, N, K>>{as_node(std::forward<X>(x)), w};
}
/// x W^T for a weight [Out, In] that is an activation like any other, x [rows, In].
constexpr auto linear(expression auto&& x, expression auto&& w) {
    return matmul(std::forward<decltype(x)>(x), transpose<0, 1>(as_node(std::forward<decltype(w)>(w))));
}
/// x W^T + b, b [Out].
constexpr auto linear(expression auto&& x, const auto& w, expression auto&& b) {
    return linear(std::forward<decltype(x)>(x), w) + std::forward<decltype(b)>(b);
}

} // namespace apriori
