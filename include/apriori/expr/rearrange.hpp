// SPDX-License-Identifier: Apache-2.0
// Views that read elements in another order or more than once: reverse, broadcast_to, diagonal, unfold; and repeat and
// tile, which are made from them. None moves data that is in memory. Assigning to a result that has an element twice
// does not compile.
#pragma once

#include "apriori/expr/axes.hpp"

namespace apriori {

namespace detail {

template <class E>
using sizes_of = std::array<index_t, std::size_t{E::rank}>;

/// The shape whose extents are fixed(axis).
template <int Rank, class Fixed>
constexpr auto make_extents(Fixed) {
    return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
        return extents<Fixed{}(int{Is})...>{};
    }(std::make_index_sequence<std::size_t{Rank}>{});
}

template <int Axis>
struct reverse_op {
    static constexpr const char* name = "reverse";
    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& v) const {
        constexpr layout kept = Axis == E::rank - 1 || L == layout::strided ? layout::strided : layout::rows;
        auto strides = v.strides;
        const index_t last = v.ext()[Axis] > 0 ? v.ext()[Axis] - 1 : 0;
        strides[Axis] = -strides[Axis];
        return view<T, E, kept>(advance(v.data, last * v.stride(Axis)), v.shape, strides);
    }
};

template <class To>
struct broadcast_op {
    static constexpr const char* name = "broadcast_to";
    To to;
    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& v) const {
        constexpr int shift = To::rank - E::rank;
        constexpr bool last_stays = E::rank > 0 && (E::rank == 0 || E::fixed(E::rank - 1) == To::fixed(To::rank - 1));
        constexpr layout kept = last_stays && L != layout::strided ? layout::rows : layout::strided;
        sizes_of<To> strides{};
        To shape = to;
        for (int i = 0; i < E::rank; ++i) {
            at(strides, i + shift) = v.ext()[i] == 1 && to[i + shift] != 1 ? 0 : v.stride(i);
            if (v.ext()[i] != 1 && v.ext()[i] != to[i + shift]) shape.sizes[0] = -1;
        }
        if constexpr (kept == layout::rows) // which has no stride of 0
            if (v.ext().cols() == 1 && to.cols() != 1) shape.sizes[0] = -1;
        return view<const T, To, kept>(v.data, shape, strides);
    }
    constexpr status check(const auto& e) const {
        const int axis = misfit_axis(e, to);
        return fitting(axis < 0, at(misfits<"broadcast_to">, axis < 0 ? 0 : axis).text,
                       axis < to.rank - e.rank ? 1 : e[axis - (to.rank - e.rank)], to[axis < 0 ? 0 : axis]);
    }
};

template <index_t Offset>
struct diagonal_op {
    static constexpr const char* name = "diagonal";
    /// The number of elements on the diagonal of n rows and m columns.
    static constexpr index_t count(index_t n, index_t m) {
        const index_t rows = Offset < 0 ? n + Offset : n, columns = Offset > 0 ? m - Offset : m;
        const index_t both = rows < columns ? rows : columns;
        return both > 0 ? both : 0;
    }
    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& v) const {
        constexpr int last = E::rank - 1;
        constexpr auto fixed = [](int i) {
            if (i < last - 1) return E::fixed(i);
            return E::fixed(last - 1) == dyn || E::fixed(last) == dyn ? dyn : count(E::fixed(last - 1), E::fixed(last));
        };
        using result = decltype(make_extents<last>(fixed));
        sizes_of<result> sizes{}, strides{};
        for (int i = 0; i < last; ++i) at(sizes, i) = v.ext()[i], at(strides, i) = v.stride(i);
        at(sizes, last - 1) = count(v.ext()[last - 1], v.ext()[last]);
        at(strides, last - 1) += v.stride(last);
        const index_t first = Offset < 0 ? -Offset * v.stride(last - 1) : Offset * v.stride(last);
        return view<T, result, layout::strided>(advance(v.data, at(sizes, last - 1) > 0 ? first : 0),
                                                extents_of_sizes<result>(sizes), strides);
    }
};

template <int Axis, index_t Size, index_t Step>
struct unfold_op {
    static constexpr const char* name = "unfold";
    static constexpr index_t windows(index_t n) { return n < Size ? 0 : (n - Size) / Step + 1; }
    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& v) const {
        constexpr auto fixed = [](int i) {
            return i == E::rank ? Size : i != Axis ? E::fixed(i) : E::fixed(i) == dyn ? dyn : windows(E::fixed(i));
        };
        using result = decltype(make_extents<E::rank + 1>(fixed));
        constexpr layout kept = Axis == E::rank - 1 && L != layout::strided ? layout::rows : layout::strided;
        sizes_of<result> sizes{}, strides{};
        for (int i = 0; i < E::rank; ++i) at(sizes, i) = v.ext()[i], at(strides, i) = v.stride(i);
        at(sizes, Axis) = windows(v.ext()[Axis]);
        at(sizes, E::rank) = Size;
        at(strides, E::rank) = v.stride(Axis);
        at(strides, Axis) *= Step;
        return view<const T, result, kept>(v.data, extents_of_sizes<result>(sizes), strides);
    }
};

} // namespace detail

/// x with the elements of an axis in reverse order: numpy.flip.
template <int Axis, expression X>
constexpr auto reverse(X&& x) {
    constexpr int rank = extents_of<X>::rank, axis = detail::axis_of(Axis, rank);
    static_assert(axis >= 0 && axis < rank, "apriori: reverse: no such axis");
    if constexpr (axis >= 0 && axis < rank) return detail::view_op(detail::reverse_op<axis>{}, std::forward<X>(x));
}
/// x in a shape that it broadcasts to by NumPy's rules.
template <index_t... S, expression X>
constexpr auto broadcast_to(X&& x, extents<S...> to) {
    using To = extents<S...>;
    constexpr bool fits = detail::assignable<To, extents_of<X>>;
    static_assert(require_shapes<"broadcast_to", To, extents_of<X>, fits>::value);
    if constexpr (fits) return detail::view_op(detail::broadcast_op<To>{to}, std::forward<X>(x));
}
template <index_t... S, expression X>
requires(sizeof...(S) > 0 && extents<S...>::is_static)
constexpr auto broadcast_to(X&& x) {
    return broadcast_to(std::forward<X>(x), extents<S...>{});
}
/// The elements [.., i, i + Offset] of x [.., n, m].
template <index_t Offset = 0, expression X>
constexpr auto diagonal(X&& x) {
    static_assert(extents_of<X>::rank >= 2, "apriori: diagonal: of a matrix, or of the last two axes of more");
    if constexpr (extents_of<X>::rank >= 2) return detail::view_op(detail::diagonal_op<Offset>{}, std::forward<X>(x));
}
/// Windows of Size elements along an axis, Step elements apart, as in torch's Tensor.unfold: [.., n, ..] becomes
/// [.., (n - Size) / Step + 1, .., Size].
template <int Axis, index_t Size, index_t Step = 1, expression X>
constexpr auto unfold(X&& x) {
    constexpr int rank = extents_of<X>::rank, axis = detail::axis_of(Axis, rank);
    constexpr bool valid = axis >= 0 && axis < rank && Size > 0 && Step > 0;
    static_assert(valid, "apriori: unfold: no such axis, or windows or steps of less than one element");
    if constexpr (valid) return detail::view_op(detail::unfold_op<axis, Size, Step>{}, std::forward<X>(x));
}

namespace detail {

/// x repeated Times times along a new axis New, which is then merged with Axis.
template <int Axis, int New, index_t Times, class X>
constexpr auto repeated(X&& x) {
    using E = extents_of<X>;
    static_assert(Axis >= 0 && Axis < E::rank && Times > 0,
                  "apriori: repeat, tile: no such axis, or less than one time");
    constexpr auto apart = [](int i) { return i == New ? Times : E::fixed(i < New ? i : i - 1); };
    constexpr auto joint = [](int i) { return i == Axis && E::fixed(i) != dyn ? E::fixed(i) * Times : E::fixed(i); };
    using wide = decltype(make_extents<E::rank + 1>(apart));
    using result = decltype(make_extents<E::rank>(joint));
    const auto e = as_node(x).ext();
    sizes_of<wide> sizes{};
    auto whole = e.sizes;
    for (int i = 0; i <= E::rank; ++i) at(sizes, i) = i == New ? Times : e[i < New ? i : i - 1];
    at(whole, Axis) *= Times;
    return reshape(broadcast_to(expand_dims<New>(std::forward<X>(x)), extents_of_sizes<wide>(sizes)),
                   extents_of_sizes<result>(whole));
}

} // namespace detail

/// Each element of an axis repeated Times times: numpy.repeat.
template <int Axis, index_t Times, expression X>
constexpr auto repeat(X&& x) {
    constexpr int axis = detail::axis_of(Axis, extents_of<X>::rank);
    return detail::repeated<axis, axis + 1, Times>(std::forward<X>(x));
}
/// x repeated Times times along an axis: numpy.tile.
template <int Axis, index_t Times, expression X>
constexpr auto tile(X&& x) {
    constexpr int axis = detail::axis_of(Axis, extents_of<X>::rank);
    return detail::repeated<axis, axis, Times>(std::forward<X>(x));
}

} // namespace apriori
