// SPDX-License-Identifier: Apache-2.0
// Views as Eigen tensors and back, without copies: Eigen's own expressions work on this library's tensors.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/tensor/tensor.hpp"

#ifndef EIGEN_USE_THREADS
#define EIGEN_USE_THREADS
#endif
// gcc 12 warns of undefined registers inside its own AVX-512 intrinsics (its bug 105593), and without a
// flag of what C++20 deprecates.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wdeprecated"
#endif
#if APRIORI_FAST_MATH
#error                                                                                                                 \
    "apriori: Eigen computes with less accuracy under -ffast-math; leave out that flag and its parts, or use the device cpu"
#endif
#include <unsupported/Eigen/CXX11/Tensor>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace apriori {

/// A dense view as a row-major Eigen::TensorMap of the same rank; T may be const.
template <class T, class E>
auto to_eigen(const view<T, E>& v) {
    using tensor_type = Eigen::Tensor<std::remove_const_t<T>, E::rank, Eigen::RowMajor, index_t>;
    using map_type = std::conditional_t<std::is_const_v<T>, const tensor_type, tensor_type>;
    Eigen::array<index_t, std::size_t{E::rank}> sizes{};
    for (std::size_t i = 0; i < sizes.size(); ++i) sizes[i] = v.ext().sizes[i];
    return Eigen::TensorMap<map_type>(v.data, sizes);
}
template <class T, class E, class S>
auto to_eigen(tensor<T, E, S>& t) {
    return to_eigen(t.view());
}
template <class T, class E, class S>
auto to_eigen(const tensor<T, E, S>& t) {
    return to_eigen(t.view());
}

namespace detail {

template <class T, std::size_t... Is>
auto view_of_rank(T* data, const Eigen::DSizes<index_t, int{sizeof...(Is)}>& sizes, std::index_sequence<Is...>) {
    using E = extents<(void(Is), dyn)...>;
    if constexpr (sizeof...(Is) == 0)
        return view<T, E>(data, E{});
    else
        return view<T, E>(data, E(sizes[int{Is}]...));
}

} // namespace detail

/// An Eigen tensor as a view with run-time extents. The tensor must outlive the view.
template <class T, int Rank>
auto from_eigen(Eigen::Tensor<T, Rank, Eigen::RowMajor, index_t>& t) {
    return detail::view_of_rank(t.data(), t.dimensions(), std::make_index_sequence<std::size_t{Rank}>{});
}
template <class T, int Rank>
auto from_eigen(const Eigen::Tensor<T, Rank, Eigen::RowMajor, index_t>& t) {
    return detail::view_of_rank(t.data(), t.dimensions(), std::make_index_sequence<std::size_t{Rank}>{});
}

/// An Eigen tensor as a view of shape E; shape_mismatch if its sizes are not those of E.
template <class E, class Tensor>
auto from_eigen(Tensor& t) {
    using view_type = view<std::remove_pointer_t<decltype(t.data())>, E>;
    const auto all = from_eigen(t);
    static_assert(decltype(all)::rank == E::rank, "apriori: from_eigen: the tensor has another rank");
    for (int i = 0; i < E::rank; ++i)
        if (E::fixed(i) != dyn && E::fixed(i) != all.ext()[i])
            return result<view_type>(to_failure(
                status::shape("from_eigen: an extent is not that of the tensor", all.ext()[i], E::fixed(i))));
    return result<view_type>(view_type(all.data, extents_of_sizes<E>(all.ext().sizes)));
}

} // namespace apriori
