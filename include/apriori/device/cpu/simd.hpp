// SPDX-License-Identifier: Apache-2.0
// The value types of kernels, for each architecture: its registers (device/cpu/xsimd.hpp) or plain floats.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/xsimd.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Stores all lanes as T; p need not be aligned.
template <class T, class V>
APRIORI_INLINE void store(T* p, V x) noexcept {
    lanes<V>::store(p, x);
}

/// a * b + c, with one rounding if there is an instruction for it.
APRIORI_INLINE float multiply_add(float a, float b, float c) noexcept {
#ifdef FP_FAST_FMAF // explicit, since the compiler contracts in one kernel and not in another
    return std::fma(a, b, c);
#else
    return a * b + c;
#endif
}
APRIORI_INLINE double multiply_add(double a, double b, double c) noexcept {
#ifdef FP_FAST_FMA
    return std::fma(a, b, c);
#else
    return a * b + c;
#endif
}

/// The lanes joined by halves, in the same order on every run.
template <class V, class Join>
APRIORI_INLINE auto join_lanes(V x, Join join) noexcept {
    typename lanes<V>::number a[to_size(lanes<V>::count)];
    store(a, x);
#pragma GCC unroll 8
    for (int half = lanes<V>::count / 2; half > 0; half /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < half; ++i) a[i] = join(a[i], a[i + half]);
    return a[0];
}
APRIORI_INLINE auto sum_lanes(auto x) noexcept {
    return join_lanes(x, [](auto a, auto b) { return a + b; });
}
APRIORI_INLINE auto max_lanes(auto x) noexcept {
    return join_lanes(x, [](auto a, auto b) { return a > b ? a : b; });
}

/// The value type of code for an architecture: registers of floats or doubles where it has them, else single numbers.
template <class Arch, class T>
struct value_of_arch {
    using type = std::conditional_t<(detail::batch_size<T, Arch> > 0), simd<Arch, T>, T>;
};
template <class T>
struct value_of_arch<scalar_arch, T> {
    using type = T;
};
template <class Arch, class T = float>
using value_t = typename value_of_arch<Arch, T>::type;

template <class Arch, int N>
struct value_of_lanes {
    using type = value_t<Arch>;
};

/// body(V{}, c) for whole vectors of columns first .. last, then body(a value of one lane, c) for the rest one by one.
template <class V, class Body>
APRIORI_INLINE void for_columns(index_t first, index_t last, Body&& body) {
    index_t c = first;
    for (; c + lanes<V>::count <= last; c += lanes<V>::count) body(V{}, c);
    if constexpr (lanes<V>::count > 1)
        for (; c < last; ++c) body(one_lane_t<V>{}, c);
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
