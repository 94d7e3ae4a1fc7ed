// SPDX-License-Identifier: Apache-2.0
// Several registers as one value, for computing more adjacent columns than a register has lanes.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/functions.hpp"

#include <array>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace cpu_device {

/// K adjacent registers.
template <class V, int K>
struct several : lane_math::value {
    std::array<V, to_size(K)> v;

    /// f(k) for each register k.
    static APRIORI_INLINE several made(auto&& f) noexcept {
        return [&]<int... Ks>(std::integer_sequence<int, Ks...>) __attribute__((always_inline)) {
            several y;
            ((std::get<to_size(Ks)>(y.v) = f(std::integral_constant<int, Ks>{})), ...);
            return y;
        }(std::make_integer_sequence<int, K>{});
    }
    /// f applied to each register of all of these.
    static APRIORI_INLINE several each(auto&& f, const auto&... of) noexcept {
        return made([&](auto k) __attribute__((always_inline)) { return f(std::get<to_size(k())>(of.v)...); });
    }
};

template <class V, int K>
APRIORI_INLINE several<V, K> operator+(const several<V, K>& a, const several<V, K>& b) noexcept {
    return several<V, K>::each([](V x, V y) { return x + y; }, a, b);
}
template <class V, int K>
APRIORI_INLINE several<V, K> operator-(const several<V, K>& a, const several<V, K>& b) noexcept {
    return several<V, K>::each([](V x, V y) { return x - y; }, a, b);
}
template <class V, int K>
APRIORI_INLINE several<V, K> operator*(const several<V, K>& a, const several<V, K>& b) noexcept {
    return several<V, K>::each([](V x, V y) { return x * y; }, a, b);
}
template <class V, int K>
APRIORI_INLINE several<V, K> operator/(const several<V, K>& a, const several<V, K>& b) noexcept {
    return several<V, K>::each([](V x, V y) { return x / y; }, a, b);
}
template <class V, int K>
APRIORI_INLINE several<V, K> operator-(const several<V, K>& a) noexcept {
    return several<V, K>::each([](V x) { return -x; }, a);
}
template <class V, int K>
APRIORI_INLINE several<V, K> where_less(const several<V, K>& a, const several<V, K>& b, const several<V, K>& yes,
                                        const several<V, K>& no) noexcept {
    return several<V, K>::each([](V x, V y, V p, V q) { return where_less(x, y, p, q); }, a, b, yes, no);
}
template <class V, int K>
APRIORI_INLINE several<V, K> where_equal(const several<V, K>& a, const several<V, K>& b, const several<V, K>& yes,
                                         const several<V, K>& no) noexcept {
    return several<V, K>::each([](V x, V y, V p, V q) { return where_equal(x, y, p, q); }, a, b, yes, no);
}
template <class V, int K>
APRIORI_INLINE several<V, K> fmin(const several<V, K>& a, const several<V, K>& b) noexcept {
    return several<V, K>::each([](V x, V y) { return fmin(x, y); }, a, b);
}
template <class V, int K>
APRIORI_INLINE several<V, K> fmax(const several<V, K>& a, const several<V, K>& b) noexcept {
    return several<V, K>::each([](V x, V y) { return fmax(x, y); }, a, b);
}
template <class V, int K>
APRIORI_INLINE several<V, K> sqrt(const several<V, K>& a) noexcept {
    return several<V, K>::each([](V x) { return sqrt(x); }, a);
}
template <class V, int K>
several<V, K> exp(const several<V, K>& a) noexcept {
    return several<V, K>::each([](V x) { return exp(x); }, a);
}

} // namespace cpu_device

template <class V, int K>
struct lanes<cpu_device::several<V, K>> {
    using value = cpu_device::several<V, K>;
    static constexpr int count = K * lanes<V>::count;
    using number = typename lanes<V>::number;
    template <class T>
    using as = cpu_device::several<typename lanes<V>::template as<T>, K>;
    template <class T>
    static APRIORI_INLINE value load(const T* p) noexcept {
        return value::made([&](auto k) { return lanes<V>::load(p + k * lanes<V>::count); });
    }
    template <class T>
    static APRIORI_INLINE value set(T x) noexcept {
        const V one = lanes<V>::set(x);
        return value::made([&](auto) { return one; });
    }
    template <class T>
    static APRIORI_INLINE void store(T* p, const value& x) noexcept {
        for (int k = 0; k < K; ++k) lanes<V>::store(p + k * lanes<V>::count, x.v[to_size(k)]);
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
