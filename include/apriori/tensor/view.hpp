// SPDX-License-Identifier: Apache-2.0
// Non-owning tensors: a pointer, a shape and strides. Slicing, transposing and reshaping a view moves no data.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/tensor/extents.hpp"

#include <algorithm>
#include <concepts>
#include <span>
#include <type_traits>
#include <utility>

namespace apriori {

/// How the elements of a view lie in memory. Each layout also covers the ones before it.
enum class layout {
    dense,   ///< row-major without gaps
    rows,    ///< the last axis is contiguous, the others have run-time strides
    strided, ///< every axis has a run-time stride
};

/// p + n; a null pointer stays null, because shapes are planned at compile time with views that have no memory.
template <class T>
APRIORI_HD constexpr T* advance(T* p, index_t n) noexcept {
    return p == nullptr ? nullptr : p + n;
}

/// An iterator over a view with gaps: at element `at`, in row-major order.
template <class View>
struct element_iterator {
    using value_type = std::remove_const_t<typename View::value_type>;
    using difference_type = index_t;

    View of{};
    index_t at = 0;

    constexpr auto& operator*() const noexcept {
        index_t rest = at, offset = 0;
        for (int axis = View::rank - 1; axis >= 0; --axis) {
            offset += rest % of.ext()[axis] * of.stride(axis);
            rest /= of.ext()[axis];
        }
        return of.data[offset];
    }
    constexpr element_iterator& operator++() noexcept {
        ++at;
        return *this;
    }
    constexpr element_iterator operator++(int) noexcept {
        element_iterator before = *this;
        ++at;
        return before;
    }
    constexpr bool operator==(const element_iterator& o) const noexcept { return at == o.at; }
};

/// A tensor whose memory is owned elsewhere. T is an element type (core/element.hpp) or a const one.
template <class T, class E, layout L = layout::dense>
struct view {
    using apriori_expression = void;
    using value_type = T;
    using extents_type = E;
    static constexpr int rank = E::rank;
    static constexpr layout memory_layout = L;
    using sizes_type = std::array<index_t, std::size_t{rank}>;

    T* data = nullptr;
    E shape{};
    sizes_type strides = dense_strides(shape); ///< in elements

    constexpr view() = default;
    constexpr view(T* p, E e)
    requires(L == layout::dense)
        : data(p), shape(e) {}
    constexpr view(T* p, E e, sizes_type s) : data(p), shape(e), strides(s) {}

    /// Converts to a view of const elements, and to a more general layout.
    template <class U, layout M>
    requires(std::is_same_v<T, U> || std::is_same_v<T, const U>) && (M <= L)
    constexpr view(const view<U, E, M>& o) : data(o.data), shape(o.shape), strides(o.strides) {}

    constexpr const E& ext() const noexcept { return shape; }
    constexpr index_t size() const noexcept { return shape.size(); }
    constexpr index_t stride(int axis) const noexcept { return at(strides, axis); }

    /// The elements as a span; only for dense views. Empty if an extent is negative.
    constexpr std::span<T> flat() const noexcept
    requires(L == layout::dense)
    {
        return {data, shape.bytes(1)};
    }

    /// The element at one index for each axis. Like all access to elements, it is unchecked.
    template <std::convertible_to<index_t>... Index>
    constexpr T& operator()(Index... i) const noexcept {
        static_assert(sizeof...(Index) == std::size_t{rank}, "apriori: an element has one index for each axis");
        index_t offset = 0;
        std::size_t axis = 0;
        ((offset += index_t(i) * strides[axis++]), ...);
        return data[offset];
    }
    /// Element i of a view of one axis; for more axes, the view of all elements whose first index is i.
    constexpr decltype(auto) operator[](index_t i) const noexcept
    requires(rank > 0)
    {
        if constexpr (rank == 1)
            return (data[i * strides[0]]);
        else {
            constexpr layout rest = L == layout::rows && rank == 2 ? layout::dense : L;
            using part = view<T, decltype(detail::tail(shape)), rest>;
            typename part::sizes_type others{};
            for (std::size_t axis = 1; axis < std::size_t{rank}; ++axis) others[axis - 1] = strides[axis];
            return part(advance(data, i * strides[0]), detail::tail(shape), others);
        }
    }
    /// The elements in row-major order.
    constexpr auto begin() const noexcept {
        if constexpr (L == layout::dense)
            return data;
        else
            return element_iterator<view>{*this, 0};
    }
    constexpr auto end() const noexcept {
        if constexpr (L == layout::dense)
            return data + shape.bytes(1);
        else
            return element_iterator<view>{*this, index_t(shape.bytes(1))};
    }

    static constexpr sizes_type dense_strides(const E& e) noexcept {
        sizes_type s{};
        std::size_t step = 1; // unsigned: may wrap around for extents that an assignment rejects
        for (int i = rank - 1; i >= 0; --i) {
            at(s, i) = index_t(step);
            step *= std::size_t(e[i]);
        }
        return s;
    }
};

/// `count` rows of Width elements, each `stride` elements after the one before.
template <index_t Width, class T>
constexpr view<T, extents<dyn, Width>, layout::rows> rows_of(T* p, index_t count, index_t stride) {
    return {p, extents<dyn, Width>(count), {stride, 1}};
}

/// True if two views have the same shape and equal elements; NaN equals nothing.
template <class T, class E, layout L, class U, class F, layout M>
requires(E::rank == F::rank && std::is_same_v<std::remove_const_t<T>, std::remove_const_t<U>>)
constexpr bool operator==(const view<T, E, L>& a, const view<U, F, M>& b) noexcept {
    return same_sizes(a.ext(), b.ext()) && std::equal(a.begin(), a.end(), b.begin());
}

template <class T>
inline constexpr bool is_view = false;
template <class T, class E, layout L>
inline constexpr bool is_view<view<T, E, L>> = true;

/// The shape E with the extent of one axis replaced.
template <class E, int Axis, index_t Size>
struct with_extent;
template <index_t... S, int Axis, index_t Size>
struct with_extent<extents<S...>, Axis, Size> {
    template <std::size_t... Is>
    static auto make(std::index_sequence<Is...>) -> extents<(int{Is} == Axis ? Size : S)...>;
    using type = decltype(make(std::make_index_sequence<sizeof...(S)>{}));
};

/// The shape E with the given size on every axis; the static ones must agree (the caller has checked).
template <class E>
constexpr E extents_of_sizes(const std::array<index_t, std::size_t{E::rank}>& sizes) {
    E e;
    e.sizes = sizes;
    return e;
}

/// Elements first .. first + count of an axis; Count is `count`, or `dyn`. Slicing any axis but the first leaves gaps
/// between rows. If some of the elements do not exist, the axis has extent -1, and an assignment rejects the view.
template <int Axis, index_t Count, class T, class E, layout L>
constexpr auto slice_view(const view<T, E, L>& v, index_t first, index_t count) {
    static_assert(Axis >= 0 && Axis < E::rank, "apriori: slice: no such axis");

    if constexpr (Axis < 0 || Axis >= E::rank)
        return v; // for a shorter error
    else {
        static_assert(Count == dyn || E::fixed(Axis) == dyn || Count <= E::fixed(Axis),
                      "apriori: slice: longer than the axis");
        using result_extents = typename with_extent<E, Axis, Count>::type;
        constexpr layout result_layout =
            Axis == 0 && L == layout::dense ? layout::dense : (L == layout::dense ? layout::rows : L);
        auto sizes = v.shape.sizes;
        const bool there = first >= 0 && count >= 0 && first <= sizes[Axis] && count <= sizes[Axis] - first;
        sizes[Axis] = there ? count : -1;
        return view<T, result_extents, result_layout>(advance(v.data, there ? first * v.stride(Axis) : 0),
                                                      extents_of_sizes<result_extents>(sizes), v.strides);
    }
}

/// The same elements in another shape with as many elements; only for dense views. If the numbers differ, the first
/// axis has extent -1, and an assignment rejects the view.
template <class To, class T, class E>
constexpr auto reshape_view(const view<T, E, layout::dense>& v, To to) {
    if constexpr (To::is_static && E::is_static)
        static_assert(To{}.size() == E{}.size(), "apriori: reshape: another number of elements");
    if constexpr (To::rank > 0)
        if (to.size() != v.size() || to.bytes(1) != v.shape.bytes(1)) to.sizes[0] = -1;
    return view<T, To>(v.data, to);
}

/// Splits the last axis, for example into heads: rows [.., n * d] as [.., n, d], without moving data.
template <index_t Heads, class T, index_t... S, layout L>
requires(L != layout::strided)
constexpr auto split_last(const view<T, extents<S...>, L>& v) {
    using E = extents<S...>;
    constexpr index_t width = E::fixed(E::rank - 1);
    static_assert(width != dyn && width % Heads == 0,
                  "apriori: split_last: the last axis does not divide into that many parts");
    constexpr index_t part = width / Heads;
    return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
        using result = view<T, extents<E::fixed(int{Is})..., Heads, part>, L>;
        typename result::sizes_type sizes{v.shape.sizes[Is]..., Heads, part}, strides{v.strides[Is]..., part, 1};
        return result(v.data, extents_of_sizes<typename result::extents_type>(sizes), strides);
    }(std::make_index_sequence<E::rank - 1>{});
}

} // namespace apriori
