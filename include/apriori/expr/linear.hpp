// SPDX-License-Identifier: Apache-2.0
// Contractions: linear layers over packed weights, and products of two activations.
#pragma once

#include "apriori/expr/elementwise.hpp"
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

/// x [.., In] times W^T -> [.., Out].
template <class X, class W>
struct linear_node {
    using apriori_expression = void;
    using x_extents = extents_of<X>;
    static constexpr int last = x_extents::rank - 1;
    static_assert(require_shapes<"linear", x_extents, extents<W::out_features, W::in_features>,
                                 (x_extents::rank > 0 && x_extents::fixed(last) == W::in_features)>::value);
    using extents_type = typename with_extent<x_extents, last, W::out_features>::type;

    X x;
    W w;

    constexpr extents_type ext() const {
        auto sizes = x.ext().sizes;
        sizes[static_cast<std::size_t>(last)] = W::out_features;
        return extents_of_sizes<extents_type>(sizes);
    }
};

/// a [.., M, K] times b [.., K, N] -> [.., M, N]; leading axes are equal. Both operands are activations.
template <class A, class B>
struct matmul_node {
    using apriori_expression = void;
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

    A a;
    B b;

    constexpr extents_type ext() const {
        auto sizes = a.ext().sizes;
        sizes[static_cast<std::size_t>(rank - 1)] = b.ext()[rank - 1];
        return extents_of_sizes<extents_type>(sizes);
    }
};

template <expression A, expression B>
constexpr auto matmul(const A& a, const B& b) {
    return matmul_node<node_t<A>, node_t<B>>{as_node(a), as_node(b)};
}

/// x W^T for a packed weight.
template <expression X, class P, index_t N, index_t K>
constexpr auto linear(const X& x, const weight<P, N, K>& w) {
    return linear_node<node_t<X>, weight<P, N, K>>{as_node(x), w};
}
/// x W^T for a weight [Out, In] that is an activation like any other, x [rows, In].
template <expression X, expression W>
constexpr auto linear(const X& x, const W& w) {
    return matmul(x, transpose<0, 1>(as_node(w)));
}
/// x W^T + b, b [Out].
template <expression X, class W, expression B>
constexpr auto linear(const X& x, const W& w, const B& b) {
    return linear(x, w) + b;
}

} // namespace apriori
