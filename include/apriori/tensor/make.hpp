// SPDX-License-Identifier: Apache-2.0
// Functions that make tensors, named as in NumPy: constants, ranges, random numbers.
#pragma once

#include "apriori/core/element.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/philox.hpp"
#include "apriori/tensor/tensor.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A tensor of that shape with all elements equal to `value`.
template <class T, index_t... S>
tensor<T, extents<S...>> full(extents<S...> shape, T value) {
    tensor<T, extents<S...>> x(shape);
    std::fill(x.begin(), x.end(), value);
    return x;
}
/// A tensor of that shape with all elements 0 (zeros) or 1 (ones).
template <class T = float, index_t... S>
tensor<T, extents<S...>> zeros(extents<S...> shape) {
    return tensor<T, extents<S...>>(shape);
}
template <class T = float, index_t... S>
tensor<T, extents<S...>> ones(extents<S...> shape) {
    return full<T>(shape, T{1});
}

/// start + i * step for each i for which this lies before stop: ceil((stop - start) / step) elements; none for step 0.
template <class T>
tensor<T, extents<dyn>> arange(T start, T stop, T step = T{1}) {
    const double count = step == T{0} ? 0 : std::ceil((double(stop) - double(start)) / double(step));
    tensor<T, extents<dyn>> x(extents<dyn>(count > 0 ? index_t(count) : 0));
    T* to = x.begin();
    for (index_t i = 0; to != x.end(); ++to, ++i) *to = T(start + T(i) * step);
    return x;
}
/// 0, 1, .. n - 1.
template <class T>
tensor<T, extents<dyn>> arange(T n) {
    return arange<T>(T{0}, n);
}

/// `count` evenly spaced numbers from start to stop inclusive, computed in double and rounded once; for one number, only
/// start. Integers give real numbers: double for std::int32_t and std::int64_t.
template <class T>
auto linspace(T start, T stop, index_t count) {
    using number = real_t<T>;
    tensor<number, extents<dyn>> x{extents<dyn>(count)};
    const double step = count > 1 ? (double(stop) - double(start)) / double(count - 1) : 0;
    number* to = x.begin();
    for (index_t i = 0; to != x.end(); ++to, ++i) *to = number(double(start) + double(i) * step);
    if (count > 1 && to != x.begin()) to[-1] = number(stop);
    return x;
}

namespace detail {

template <class T, index_t Rows, index_t Columns>
tensor<T, extents<Rows, Columns>> identity(extents<Rows, Columns> shape) {
    tensor<T, extents<Rows, Columns>> x(shape);
    for (index_t i = 0; i < shape[0] && x.data() != nullptr; ++i) x(i, i) = T{1};
    return x;
}

/// A tensor of numbers from fill(span), times `factor` and plus `addend`.
template <index_t... S>
tensor<float, extents<S...>> random_tensor(extents<S...> shape, auto&& fill, float factor, float addend) {
    tensor<float, extents<S...>> x(shape);
    fill(x.flat());
    for (float& v : x) v = std::fma(v, factor, addend);
    return x;
}

} // namespace detail

/// The identity matrix [N, N].
template <index_t N, class T = float>
tensor<T, extents<N, N>> eye() {
    return detail::identity<T>(extents<N, N>{});
}
/// The identity matrix [n, n].
template <class T = float>
tensor<T, extents<dyn, dyn>> eye(index_t n) {
    return detail::identity<T>(extents<dyn, dyn>(n, n));
}

/// Normal numbers with that mean and standard deviation, from a stream of a seed (core/philox.hpp).
template <index_t... S>
tensor<float, extents<S...>> normal(extents<S...> shape, std::uint64_t seed, float mean = 0, float deviation = 1,
                                    std::uint64_t stream = 0) {
    philox_generator from(seed, stream);
    return detail::random_tensor(shape, [&](std::span<float> to) { from.randn(to); }, deviation, mean);
}
/// Uniform numbers from low to high, which is excluded except for rounding, from a stream of a seed (core/philox.hpp):
/// multiples of 2^-24 of the distance.
template <index_t... S>
tensor<float, extents<S...>> uniform(extents<S...> shape, std::uint64_t seed, float low = 0, float high = 1,
                                     std::uint64_t stream = 0) {
    philox_generator from(seed, stream);
    return detail::random_tensor(shape, [&](std::span<float> to) { from.rand(to); }, high - low, low);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
