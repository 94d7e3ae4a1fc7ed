// SPDX-License-Identifier: Apache-2.0
// Leaves of expressions as programs: how a view, broadcast into the shape of a result, is read row by row.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/concepts.hpp"
#include "apriori/expr/ops.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

/// Strides of the leading axes of `v` as an operand of a result of shape R: 0 where it is broadcast.
template <class V, class R>
constexpr row_map leading_map(const V& v, const R& result) {
    static_assert(R::rank <= 4, "apriori: tensors of at most four axes");
    if constexpr (R::rank < 2)
        return {};
    else {
        constexpr int leading = R::rank - 1, shift = R::rank - V::rank;
        index_t sizes[to_size(leading)]{}, strides[to_size(leading)]{};
        for (int i = 0; i < leading; ++i) {
            sizes[i] = result[i];
            strides[i] = i < shift || v.ext()[i - shift] == 1 ? 0 : v.stride(i - shift);
        }
        return row_map::of(sizes, strides, leading);
    }
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
    static_assert(std::is_same_v<std::remove_const_t<T>, float>, "apriori: element-wise operands are float");
    if constexpr (E::rank == 0 || (E::fixed(E::rank - 1) == 1 && R::fixed(R::rank - 1) != 1))
        return el::column{v.data, leading_map(v, result)};
    else if constexpr (L == layout::strided)
        return el::strided{v.data, leading_map(v, result), v.stride(E::rank - 1)};
    else if constexpr (leading_ones<E>())
        return el::vector{v.data};
    else
        return el::matrix{v.data, leading_map(v, result)};
}
/// Any other leaf tells itself.
template <class X, class R>
requires(!is_view<X>)
constexpr auto leaf_program(const X& x, const R& result) {
    return x.program(result);
}

/// Where the rows of a result go.
template <class T, class E, layout L>
constexpr ops::output output_of(const view<T, E, L>& out) {
    static_assert(!std::is_const_v<T>, "apriori: assign: the destination is const");
    static_assert(L != layout::strided, "apriori: assign: the destination's last axis must be contiguous");
    return {out.data, leading_map(out, out.ext())};
}

/// A view of matrices [.., M, N] as an operand of a batched product.
template <class T, class E, layout L>
constexpr ops::batched_matrix matrices_of(const view<T, E, L>& v) {
    constexpr int batch_axes = E::rank - 2;
    static_assert(batch_axes >= 0 && batch_axes <= 2, "apriori: matmul: operands have two to four axes");
    index_t sizes[3]{}, strides[3]{};
    for (int i = 0; i < batch_axes; ++i) {
        sizes[i] = v.ext()[i];
        strides[i] = v.stride(i);
    }
    return {v.data, row_map::of(sizes, strides, batch_axes), v.stride(E::rank - 2), v.stride(E::rank - 1)};
}

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
