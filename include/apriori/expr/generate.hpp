// SPDX-License-Identifier: Apache-2.0
// Expressions without memory: one number in a shape, the indices of an axis; and functions made from them: tril, triu,
// pad.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/axes.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace el {

/// The index of a column.
struct column_index {
    using value = std::int32_t;
    APRIORI_HD constexpr column_index row(index_t) const noexcept { return *this; }
    template <class V>
    APRIORI_HD constexpr auto at(index_t c, V) const noexcept {
        using result = value_beside<V, value>;
        std::int32_t all[to_size(lanes<V>::count)]{};
        for (int i = 0; i < lanes<V>::count; ++i) all[i] = std::int32_t(c) + i;
        return lanes<result>::load(all);
    }
};
/// The index of a leading axis: rows in blocks of `inner`, starting again after `count` blocks.
struct row_index {
    using value = std::int32_t;
    index_t inner = 1, count = 1;
    APRIORI_HD constexpr scalar_of<value> row(index_t r) const noexcept { return {value(r / inner % count)}; }
};

} // namespace el

/// The same number everywhere in a shape.
template <class T, class E>
struct filled_node {
    using apriori_expression = void;
    using extents_type = E;
    using value_type = T;
    static constexpr const char* name = "filled";
    static constexpr bool is_leaf = true;
    E shape;
    T number;

    constexpr E ext() const { return shape; }
    constexpr el::scalar_of<T> program(const auto&) const { return {number}; }
};
/// A shape in which each element is `number`.
template <element T, index_t... S>
constexpr auto filled(extents<S...> shape, T number) {
    return filled_node<T, extents<S...>>{shape, number};
}

/// Each element is its own index on an axis; the other axes have extent 1.
template <int Axis, class E>
struct indices_node {
    using apriori_expression = void;
    using extents_type = E;
    using value_type = std::int32_t;
    static constexpr const char* name = "indices";
    static constexpr bool is_leaf = true;
    E shape;

    constexpr E ext() const { return shape; }
    template <class R>
    constexpr auto program(const R& result) const {
        constexpr int axis = R::rank - E::rank + Axis;
        if constexpr (axis == R::rank - 1)
            return el::column_index{};
        else {
            index_t inner = 1;
            for (int i = axis + 1; i + 1 < R::rank; ++i) inner *= result[i];
            return el::row_index{inner, shape[Axis]};
        }
    }
};
/// 0, 1, .. along an axis of a shape, as 32-bit integers: numpy.indices. The other axes have extent 1 and broadcast.
template <int Axis, index_t... S>
constexpr auto indices(extents<S...> shape) {
    using E = extents<S...>;
    constexpr int axis = detail::axis_of(Axis, E::rank);
    static_assert(axis >= 0 && axis < E::rank, "apriori: indices: no such axis");
    if constexpr (axis >= 0 && axis < E::rank)
        return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
            using narrow = extents<(int{Is} == axis ? E::fixed(axis) : 1)...>;
            return indices_node<axis, narrow>{
                extents_of_sizes<narrow>({(int{Is} == axis ? shape[axis] : index_t{1})...})};
        }(std::make_index_sequence<std::size_t{E::rank}>{});
}

/// x [.., n, m] with zeros above (tril) or below (triu) the diagonal that is Offset columns right of the main one.
template <index_t Offset = 0, expression X>
constexpr auto tril(X&& x) {
    constexpr int last = extents_of<X>::rank - 1;
    static_assert(last >= 1, "apriori: tril: of a matrix, or of the last two axes of more");
    const auto e = as_node(x).ext();
    return where(indices<last>(e) - indices<last - 1>(e) <= Offset, std::forward<X>(x), 0);
}
template <index_t Offset = 0, expression X>
constexpr auto triu(X&& x) {
    constexpr int last = extents_of<X>::rank - 1;
    static_assert(last >= 1, "apriori: triu: of a matrix, or of the last two axes of more");
    const auto e = as_node(x).ext();
    return where(indices<last>(e) - indices<last - 1>(e) >= Offset, std::forward<X>(x), 0);
}

/// x with Before elements before those of an axis and After elements after them, all equal to a number: numpy.pad.
template <int Axis, index_t Before, index_t After, expression X, std::convertible_to<float> S = float>
constexpr auto pad(X&& x, S number = {}) {
    using E = extents_of<X>;
    using T = element_of<X>;
    constexpr int axis = detail::axis_of(Axis, E::rank);
    constexpr bool valid = axis >= 0 && axis < E::rank && Before >= 0 && After >= 0;
    static_assert(valid, "apriori: pad: no such axis, or less than no elements");
    if constexpr (valid) {
        const auto block = [&]<index_t N>(std::integral_constant<index_t, N>) {
            using shape = typename with_extent<E, axis, N>::type;
            auto sizes = as_node(x).ext().sizes;
            at(sizes, axis) = N;
            return filled(extents_of_sizes<shape>(sizes), element_cast<T>(number));
        };
        constexpr std::integral_constant<index_t, Before> before{};
        constexpr std::integral_constant<index_t, After> after{};
        if constexpr (Before == 0 && After == 0)
            return elementwise(fn::copy{}, std::forward<X>(x));
        else if constexpr (Before == 0)
            return concat<axis>(std::forward<X>(x), block(after));
        else if constexpr (After == 0)
            return concat<axis>(block(before), std::forward<X>(x));
        else
            return concat<axis>(block(before), std::forward<X>(x), block(after));
    }
}

} // namespace apriori
APRIORI_END_EXACT_MATH
