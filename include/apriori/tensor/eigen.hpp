// SPDX-License-Identifier: Apache-2.0
// Eigen's matrices, arrays and maps as views, and views as Eigen::Map, without moving data. Needs only Eigen/Core. (For
// tensors of Eigen's Tensor module see device/eigen/bridge.hpp.)
#pragma once

#include "apriori/tensor/tensor.hpp"

// gcc 12 warns in users' code about the undefined registers inside its own AVX-512 intrinsics (gcc bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace apriori {

namespace detail {

template <class D>
std::true_type is_eigen_dense(const Eigen::DenseBase<D>*);
std::false_type is_eigen_dense(const void*);

/// True for a type whose elements are contiguous in its own storage order: a matrix, or a map of one without strides.
template <class M>
inline constexpr bool eigen_without_gaps = std::is_same_v<M, typename M::PlainObject>;
template <class P, int Options>
inline constexpr bool eigen_without_gaps<Eigen::Map<P, Options, Eigen::Stride<0, 0>>> = true;

static_assert(dyn == Eigen::Dynamic && std::is_same_v<index_t, Eigen::Index>);

} // namespace detail

/// An Eigen matrix or array, or a map, block or transpose of one: anything with its elements in memory.
template <class M>
concept eigen_matrix = decltype(detail::is_eigen_dense(static_cast<std::remove_cvref_t<M>*>(nullptr)))::value &&
                       requires { requires(int{std::remove_cvref_t<M>::Flags} & int{Eigen::DirectAccessBit}) != 0; };

/// An Eigen matrix, array, map or block as a view [rows, columns], a vector as a view of one axis. Fixed sizes become
/// static extents. A row-major matrix is dense, one with an outer stride has contiguous rows, and a column-major one is
/// strided. The owner of the elements must outlive the view.
template <eigen_matrix M>
auto from_eigen(M&& m) {
    using matrix = std::remove_cvref_t<M>;
    using T = std::remove_pointer_t<decltype(m.data())>;
    static_assert(std::is_lvalue_reference_v<M> || !std::is_same_v<matrix, typename matrix::PlainObject>,
                  "apriori: from_eigen: a view of a temporary matrix would outlive it: give the matrix a name");
    constexpr bool side_by_side = int{matrix::InnerStrideAtCompileTime} == 1;
    constexpr bool without_gaps = side_by_side && detail::eigen_without_gaps<matrix>;
    if constexpr (bool{matrix::IsVectorAtCompileTime}) {
        using E = extents<index_t{matrix::SizeAtCompileTime}>;
        constexpr layout L = side_by_side ? layout::dense : layout::strided;
        return view<T, E, L>(m.data(), extents_of_sizes<E>({m.size()}), {m.innerStride()});
    } else {
        using E = extents<index_t{matrix::RowsAtCompileTime}, index_t{matrix::ColsAtCompileTime}>;
        constexpr bool by_rows = bool{matrix::IsRowMajor};
        constexpr layout L = !by_rows || !side_by_side ? layout::strided : without_gaps ? layout::dense : layout::rows;
        return view<T, E, L>(
            m.data(), extents_of_sizes<E>({m.rows(), m.cols()}),
            {by_rows ? m.outerStride() : m.innerStride(), by_rows ? m.innerStride() : m.outerStride()});
    }
}

/// A view of two axes as a map of a matrix, or of one axis as a map of a column vector; T may be const. Static extents
/// become fixed sizes, and `.array()` of the map is the array. For views of more axes, take parts:
/// `to_eigen_matrix(x[i])`.
template <class T, class E, layout L>
auto to_eigen_matrix(const view<T, E, L>& v) {
    static_assert(E::rank == 1 || E::rank == 2, "apriori: to_eigen_matrix: the view has neither one axis nor two");
    constexpr bool gaps = L != layout::dense;
    if constexpr (E::rank == 1) {
        using vector = Eigen::Matrix<std::remove_const_t<T>, int{E::fixed(0)}, 1>;
        using mapped = std::conditional_t<std::is_const_v<T>, const vector, vector>;
        using stride = std::conditional_t<gaps, Eigen::InnerStride<>, Eigen::Stride<0, 0>>;
        if constexpr (gaps)
            return Eigen::Map<mapped, 0, stride>(v.data, v.ext()[0], stride(v.stride(0)));
        else
            return Eigen::Map<mapped, 0, stride>(v.data, v.ext()[0]);
    } else if constexpr (E::rank == 2) {
        // Eigen has no row-major columns: a matrix of one column and several rows is mapped as column-major, strides
        // swapped.
        constexpr bool column = E::fixed(1) == 1 && E::fixed(0) != 1;
        using matrix = Eigen::Matrix<std::remove_const_t<T>, int{E::fixed(0)}, int{E::fixed(1)},
                                     column ? Eigen::ColMajor : Eigen::RowMajor>;
        using mapped = std::conditional_t<std::is_const_v<T>, const matrix, matrix>;
        if constexpr (!gaps)
            return Eigen::Map<mapped>(v.data, v.ext()[0], v.ext()[1]);
        else if constexpr (L == layout::rows && !column)
            return Eigen::Map<mapped, 0, Eigen::OuterStride<>>(v.data, v.ext()[0], v.ext()[1],
                                                               Eigen::OuterStride<>(v.stride(0)));
        else {
            using stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>; // outer, inner
            return Eigen::Map<mapped, 0, stride>(v.data, v.ext()[0], v.ext()[1],
                                                 column ? stride(v.stride(1), v.stride(0))
                                                        : stride(v.stride(0), v.stride(1)));
        }
    }
}
template <class T, class E, class S>
auto to_eigen_matrix(tensor<T, E, S>& t) {
    return to_eigen_matrix(t.view());
}
template <class T, class E, class S>
auto to_eigen_matrix(const tensor<T, E, S>& t) {
    return to_eigen_matrix(t.view());
}

} // namespace apriori
