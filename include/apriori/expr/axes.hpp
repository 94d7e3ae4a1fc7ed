// SPDX-License-Identifier: Apache-2.0
// Permutes, adds and removes axes: free on a view, as slices and transposes are.
#pragma once

#include "apriori/expr/anchors.hpp"
#include "apriori/expr/shape_ops.hpp"

namespace apriori {

namespace detail {

template <int... Axes>
struct permute_op {
    static constexpr const char* name = "permute";

    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& v) const {
        constexpr int order[] = {Axes...};
        constexpr bool in_order = [&] {
            for (int i = 0; i < E::rank; ++i)
                if (order[i] != i) return false;
            return true;
        }();
        constexpr layout kept = in_order                                                    ? L
                                : L != layout::strided && order[E::rank - 1] == E::rank - 1 ? layout::rows
                                                                                            : layout::strided;
        using result = view<T, extents<E::fixed(Axes)...>, kept>;
        return result(v.data, extents_of_sizes<typename result::extents_type>({v.ext()[Axes]...}), {v.stride(Axes)...});
    }
    /// The inverse: the view that the operator turns into v. For destinations.
    constexpr auto inverse(const auto& v, const auto&) const {
        constexpr int rank = int{sizeof...(Axes)};
        constexpr auto place = [](int axis) {
            constexpr int order[] = {Axes...};
            int i = 0;
            while (order[i] != axis) ++i;
            return i;
        };
        return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
            return permute_op<place(int{Is})...>{}(v);
        }(std::make_index_sequence<std::size_t{rank}>{});
    }
};

/// Removes the axis, of extent 1.
template <int Axis>
struct squeeze_op {
    static constexpr const char* name = "squeeze";

    template <class T, index_t... S, layout L>
    constexpr auto operator()(const view<T, extents<S...>, L>& v) const {
        constexpr int rank = sizeof...(S);
        return [&]<int... Is>(std::integer_sequence<int, Is...>) {
            [[maybe_unused]] constexpr auto from = [](int i) { return i < Axis ? i : i + 1; };
            constexpr layout kept = Axis == rank - 1 && L == layout::rows ? layout::strided : L;
            using result = view<T, extents<extents<S...>::fixed(from(Is))...>, kept>;
            result squeezed(v.data, extents_of_sizes<typename result::extents_type>({v.ext()[from(Is)]...}),
                            {v.stride(from(Is))...});
            if constexpr (rank > 1) // if it was not 1, an assignment rejects the view
                if (v.ext()[Axis] != 1) squeezed.shape.sizes[0] = -1;
            return squeezed;
        }(std::make_integer_sequence<int, rank - 1>{});
    }
    constexpr status check(const auto& e) const {
        return fitting(e[Axis] == 1, at(on_axis<"squeeze: the extent is not 1 on axis ">, Axis).text, e[Axis], 1);
    }
};

/// Adds an axis of extent 1.
template <int Axis>
struct expand_dims_op {
    static constexpr const char* name = "expand_dims";

    template <class T, index_t... S, layout L>
    constexpr auto operator()(const view<T, extents<S...>, L>& v) const {
        constexpr int rank = sizeof...(S);
        return [&]<int... Is>(std::integer_sequence<int, Is...>) {
            constexpr auto fixed = [](int i) { return i == Axis ? 1 : extents<S...>::fixed(i < Axis ? i : i - 1); };
            const auto size = [&](int i) { return i == Axis ? 1 : v.ext()[i < Axis ? i : i - 1]; };
            const auto stride = [&](int i) {
                return i < Axis ? v.stride(i) : i > Axis ? v.stride(i - 1) : i == rank ? 1 : v.stride(i) * v.ext()[i];
            };
            using result = view<T, extents<fixed(Is)...>, L>;
            return result(v.data, extents_of_sizes<typename result::extents_type>({size(Is)...}), {stride(Is)...});
        }(std::make_integer_sequence<int, rank + 1>{});
    }
};

} // namespace detail

namespace detail {

/// x with new axes of extent 1 before its own, up to a rank of Rank.
template <int Rank, class X>
constexpr auto aligned_to_rank(const X& x) {
    if constexpr (extents_of<X>::rank == Rank)
        return x;
    else
        return aligned_to_rank<Rank>(view_op(expand_dims_op<0>{}, x));
}
/// True if the operands of an element-wise node may be read in another order of axes. An extent of 1 known only at run
/// time broadcasts on every axis but the last, so such an axis must not become the last.
template <int Last, class X>
inline constexpr bool reads_permuted = false;
template <int Last, class F, class... A>
inline constexpr bool reads_permuted<Last, elementwise_node<F, A...>> =
    anchor_count<elementwise_node<F, A...>> == 0 &&
    (Last + 1 == extents_of<elementwise_node<F, A...>>::rank || (extents_of<A>::is_static && ...));

/// x with its axes in another order. An element-wise node reads its operands in that order.
template <int... Axes, class X>
constexpr auto permuted(const X& x) {
    constexpr int order[] = {Axes...};
    if constexpr (extents_of<X>::rank == 0)
        return x;
    else if constexpr (extents_of<X>::rank < int{sizeof...(Axes)})
        return permuted<Axes...>(aligned_to_rank<int{sizeof...(Axes)}>(x));
    else if constexpr (reads_permuted<order[sizeof...(Axes) - 1], X>)
        return [&]<class F, class... A>(const elementwise_node<F, A...>& node) {
            return el::unpack(
                [&](const A&... a) {
                    return elementwise_node<F, decltype(permuted<Axes...>(a))...>{node.f, {{permuted<Axes...>(a)}...}};
                },
                node.args);
        }(x);
    else
        return view_op(permute_op<Axes...>{}, x);
}

} // namespace detail

/// Axis i of the result is axis Axes[i] of x: numpy.transpose with axes.
template <int... Axes, expression X>
constexpr auto permute(X&& x) {
    constexpr int rank = extents_of<X>::rank;
    constexpr bool each_once = [] {
        int seen = 0;
        for (const int axis : {detail::axis_of(Axes, rank)..., -1})
            if (axis >= 0 && axis < rank) seen |= 1 << axis;
        return sizeof...(Axes) == std::size_t{rank} && seen == (1 << rank) - 1;
    }();
    static_assert(each_once, "apriori: permute: name each axis once");
    static_assert(detail::lasts<X>,
                  "apriori: permute: a view of a temporary tensor would outlive it: give the tensor a name");
    if constexpr (each_once) {
        if constexpr (is_view<std::remove_cvref_t<X>> || is_tensor<std::remove_cvref_t<X>>)
            return detail::view_op(detail::permute_op<detail::axis_of(Axes, rank)...>{}, std::forward<X>(x));
        else
            return detail::permuted<detail::axis_of(Axes, rank)...>(x);
    }
}
/// Axes A and B exchanged.
template <int A, int B, expression X>
constexpr auto transpose(X&& x) {
    constexpr int rank = extents_of<X>::rank, a = detail::axis_of(A, rank), b = detail::axis_of(B, rank);
    constexpr bool valid = a >= 0 && b >= 0 && a < rank && b < rank;
    static_assert(valid, "apriori: transpose: no such axis");
    if constexpr (valid)
        return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
            return permute<(int{Is} == a ? b : int{Is} == b ? a : int{Is})...>(std::forward<X>(x));
        }(std::make_index_sequence<std::size_t{rank}>{});
}
/// x without an axis of extent 1; shape_mismatch if a run-time extent is not 1.
template <int Axis, expression X>
constexpr auto squeeze(X&& x) {
    constexpr int rank = extents_of<X>::rank, axis = detail::axis_of(Axis, rank);
    constexpr index_t extent = axis >= 0 && axis < rank ? extents_of<X>::fixed(axis) : 0;
    static_assert(extent == 1 || extent == dyn, "apriori: squeeze: no such axis, or its extent is not 1");
    if constexpr (extent == 1 || extent == dyn) return detail::view_op(detail::squeeze_op<axis>{}, std::forward<X>(x));
}
/// x with a new axis of extent 1, which is axis Axis of the result.
template <int Axis, expression X>
constexpr auto expand_dims(X&& x) {
    constexpr int last = extents_of<X>::rank, axis = detail::axis_of(Axis, last + 1);
    static_assert(axis >= 0 && axis <= last, "apriori: expand_dims: no such axis");
    if constexpr (axis >= 0 && axis <= last) return detail::view_op(detail::expand_dims_op<axis>{}, std::forward<X>(x));
}
/// Operands of one shape, one after the other along a new axis, which is axis Axis of the result: numpy.stack.
template <int Axis, expression... Xs>
requires(sizeof...(Xs) > 0)
constexpr auto stack(Xs&&... xs) {
    return concat<Axis>(expand_dims<Axis>(std::forward<Xs>(xs))...);
}

} // namespace apriori
