// SPDX-License-Identifier: Apache-2.0
// Contractions: linear layers over packed weights, and products of two activations.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/anchors.hpp"
#include "apriori/expr/leaves.hpp"
#include "apriori/expr/shape_ops.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A weight matrix [Out, In] as a device packed it: y = x W^T. `Packed` is the device's own handle.
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

/// x as the left operand of a contraction: rows of a program, if the device takes that or x is in memory; normalised
/// rows, if the device takes those; otherwise rows of a temporary.
template <class Context, class X>
constexpr auto contraction_input(Context& to, const X& x) {
    static_assert(std::is_same_v<computed_t<element_of<X>>, float>,
                  "apriori: linear: a packed weight multiplies floats: convert the input, cast<float>(x)");
    constexpr bool fuses = Context::device_type::fuses_prologue;
    if constexpr (anchor_count<X> == 0 && ((is_view<X> && std::is_same_v<element_of<X>, float>) || fuses)) {
        const auto p = to.template program_as<float>(x, x.ext());
        return ops::mapped<std::remove_const_t<decltype(p)>>{p};
    } else if constexpr (fuses && is_norm_prologue<X>) {
        const auto& norm = find_anchor<0>(x);
        to.check(fitting(same_sizes(norm.ext(), x.ext()),
                         "linear: a norm of one row is broadcast; write it to a temporary first", norm.ext().rows(),
                         x.ext().rows()));
        const auto inner = to.program(norm.x, norm.x.ext());
        const auto outer = to.template program_as<float, 0>(x, x.ext());
        return ops::normalized<std::remove_cvref_t<decltype(norm.policy)>, std::remove_const_t<decltype(inner)>,
                               std::remove_const_t<decltype(outer)>>{norm.policy, inner, outer};
    } else {
        const auto p = leaf_program(to.template in_memory_as<float>(x), x.ext());
        return ops::mapped<std::remove_const_t<decltype(p)>>{p};
    }
}

/// The size of a shape on an axis of a result of that rank; 1 if it has no such axis.
template <class E>
constexpr index_t aligned_size(const E& e, int axis, int rank) {
    const int own = axis - (rank - E::rank);
    return own < 0 ? 1 : e[own];
}

/// The shape of a product of matrices, whose batches broadcast.
template <class A, class B, class Axes>
struct matmul_extents;
template <class A, class B, std::size_t... Axes>
struct matmul_extents<A, B, std::index_sequence<Axes...>> {
    static constexpr int rank = int{sizeof...(Axes)};
    static constexpr index_t fixed(int i) {
        if (i == rank - 2) return A::rank < 2 ? dyn : A::fixed(A::rank - 2);
        if (i == rank - 1) return B::rank < 2 ? dyn : B::fixed(B::rank - 1);
        return joint_extent(aligned_extent<A>(i, rank), aligned_extent<B>(i, rank));
    }
    using type = extents<fixed(int{Axes})...>;
};

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

/// a [.., M, K] times b [.., K, N] -> [.., M, N], both activations, of floats or doubles, to which integers are
/// converted. The leading axes are a batch and broadcast.
template <class A, class B>
struct matmul_node {
    using apriori_expression = void;
    static constexpr const char* name = "matmul";
    using ea = extents_of<A>;
    using eb = extents_of<B>;
    using value_type = real_t<promoted_t<element_of<A>, element_of<B>>>;
    static constexpr int rank = ea::rank > eb::rank ? ea::rank : eb::rank;
    static constexpr bool fit = [] {
        if (ea::rank < 2 || eb::rank < 2) return false;
        for (int i = 0; i + 2 < rank; ++i)
            if (!detail::extents_fit(detail::aligned_extent<ea>(i, rank), detail::aligned_extent<eb>(i, rank)))
                return false;
        const index_t left = ea::fixed(ea::rank - 1), right = eb::fixed(eb::rank - 2);
        return left == right || left == dyn || right == dyn;
    }();
    static_assert(require_shapes<"matmul", ea, eb, fit>::value);
    using extents_type = typename detail::matmul_extents<ea, eb, std::make_index_sequence<std::size_t{rank}>>::type;
    static constexpr int epilogue_worth = 3;
    template <class Out>
    static constexpr bool writes = std::is_same_v<Out, ops::output_to<value_type>>;

    A a;
    B b;

    constexpr extents_type ext() const {
        const auto sa = a.ext();
        const auto sb = b.ext();
        std::array<index_t, std::size_t{rank}> sizes{};
        for (int i = 0; i + 2 < rank; ++i) {
            const index_t left = detail::aligned_size(sa, i, rank), right = detail::aligned_size(sb, i, rank);
            at(sizes, i) = left == 1 ? right : left;
        }
        at(sizes, rank - 2) = sa[ea::rank - 2];
        at(sizes, rank - 1) = sb[eb::rank - 1];
        return extents_of_sizes<extents_type>(sizes);
    }
    constexpr status check() const {
        const auto sa = a.ext();
        const auto sb = b.ext();
        constexpr auto& inner =
            detail::on_axis<"matmul: the second operand's rows are not as many as the first's axis ">;
        const index_t left = sa[ea::rank - 1], right = sb[eb::rank - 2];
        status s = detail::fitting(left == right, at(inner, ea::rank - 1).text, left, right);
        for (int i = 0; i + 2 < rank; ++i) {
            const index_t one = detail::aligned_size(sa, i, rank), other = detail::aligned_size(sb, i, rank);
            s = detail::first_error(s, detail::fitting(one == other || one == 1 || other == 1,
                                                       at(detail::misfits<"matmul">, i).text, one, other));
        }
        return detail::first_error(s, check_extents(a), check_extents(b));
    }

    template <class Context, class Out, class E>
    constexpr void lower(Context& to, const Out& out, const E& epilogue) const {
        using T = value_type;
        const auto left = to.template in_memory_as<T>(a);
        const auto right = to.template in_memory_as<T>(b);
        index_t batch = 1;
        for (int i = 0; i + 2 < rank; ++i) batch *= out.ext()[i];
        to.run(ops::matmul<E, T, row_map_of_rank<rank - 1>>{
            detail::matrices_of(left, out.ext()), detail::matrices_of(right, out.ext()), epilogue,
            detail::output_of(out), batch, out.ext()[rank - 2], out.ext()[rank - 1], left.ext()[ea::rank - 1]});
    }
};

/// a [.., M, K] times b [.., K, N] -> [.., M, N]: numpy.matmul for two or more axes. shape_mismatch if run-time extents
/// do not fit.
template <expression A, expression B>
constexpr auto matmul(A&& a, B&& b) {
    return matmul_node<node_t<A>, node_t<B>>{as_node(std::forward<A>(a)), as_node(std::forward<B>(b))};
}

/// x [.., In] times W^T -> [.., Out], for a packed weight.
template <expression X, class P, index_t N, index_t K>
constexpr auto linear(X&& x, const weight<P, N, K>& w) {
    return linear_node<node_t<X>, weight<P, N, K>>{as_node(std::forward<X>(x)), w};
}
/// x W^T for a weight [Out, In] that is an expression like any other, x [rows, In].
constexpr auto linear(expression auto&& x, expression auto&& w) {
    return matmul(std::forward<decltype(x)>(x), transpose<0, 1>(as_node(std::forward<decltype(w)>(w))));
}
/// x W^T + b, b [Out].
constexpr auto linear(expression auto&& x, const auto& w, expression auto&& b) {
    return linear(std::forward<decltype(x)>(x), w) + std::forward<decltype(b)>(b);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
