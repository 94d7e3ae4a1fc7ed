// SPDX-License-Identifier: Apache-2.0
// Leaves of expressions as programs: how a view, broadcast into the shape of a result, is read row by row.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/concepts.hpp"
#include "apriori/expr/ops.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

/// The strides of the first Leading axes of `v` as an operand of a result of shape R; 0 where it is broadcast.
template <int Leading, class V, class R>
constexpr auto leading_map(const V& v, const R& result) {
    static_assert(R::rank <= 8, "apriori: tensors of at most eight axes");
    if constexpr (Leading < 1)
        return row_map{};
    else {
        constexpr int shift = R::rank - V::rank;
        index_t sizes[to_size(Leading)]{}, strides[to_size(Leading)]{};
        for (int i = 0; i < Leading; ++i) {
            sizes[i] = result[i];
            strides[i] = i < shift || v.ext()[i - shift] == 1 ? 0 : v.stride(i - shift);
        }
        return row_map_of_rank<Leading + 1>::of(sizes, strides, Leading);
    }
}
/// The same for all axes but the last.
template <class V, class R>
constexpr auto leading_map(const V& v, const R& result) {
    return leading_map<R::rank - 1>(v, result);
}

template <class E>
constexpr bool leading_ones() {
    for (int i = 0; i + 1 < E::rank; ++i)
        if (E::fixed(i) != 1) return false;
    return true;
}

/// A view as a program in a result of shape R.
template <class T, class E, layout L, class R>
constexpr auto leaf_program(const view<T, E, L>& v, const R& result) {
    using U = std::remove_const_t<T>;
    using map = row_map_of_rank<R::rank>;
    if constexpr (E::rank == 0 || (E::fixed(E::rank - 1) == 1 && R::fixed(R::rank - 1) != 1))
        return el::column_of<U, map>{v.data, leading_map(v, result)};
    else if constexpr (L == layout::strided)
        return el::strided_of<U, map>{v.data, leading_map(v, result), v.stride(E::rank - 1)};
    else if constexpr (leading_ones<E>())
        return el::vector_of<U>{v.data};
    else
        return el::matrix_of<U, map>{v.data, leading_map(v, result)};
}
/// Any other leaf provides its own.
template <class X, class R>
requires(!is_view<X>)
constexpr auto leaf_program(const X& x, const R& result) {
    return x.program(result);
}

/// Where the rows of a result go.
template <class T, class E, layout L>
constexpr auto output_of(const view<T, E, L>& out) {
    if constexpr (L == layout::dense)
        return ops::output_to<T>{out.data, row_map{.inner = out.ext().cols()}};
    else
        return ops::output_to<T, row_map_of_rank<E::rank>>{out.data, leading_map(out, out.ext())};
}
template <class Out>
using output_of_t = decltype(output_of(std::declval<const Out&>()));

/// A view of matrices [.., M, N] as an operand of a batched product of shape R, into whose batch it broadcasts.
template <class T, class E, layout L, class R>
constexpr auto matrices_of(const view<T, E, L>& v, const R& result) {
    return ops::batched_matrix_of<std::remove_const_t<T>, row_map_of_rank<R::rank - 1>>{
        v.data, leading_map<R::rank - 2>(v, result), v.stride(E::rank - 2), v.stride(E::rank - 1)};
}

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
