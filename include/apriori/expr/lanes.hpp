// SPDX-License-Identifier: Apache-2.0
// What element-wise code needs to know about the type that it computes in: one number, or several in a register.
#pragma once

#include "apriori/core/element.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The properties of a value type V. A SIMD device specialises it for its registers, so that a function object written
/// once, as `auto operator()(auto x)`, works on every device.
///     count                      numbers in a V
///     number                     their type
///     as<T>                      the value type of as many Ts; for bool, one of numbers that are 1 or 0
///     load(p), load_strided(p, stride), set(number), store(p, v)      in memory of any element type, with conversion
template <class V>
struct lanes;

namespace lane_math {
struct value {}; ///< base of values of several lanes, by which the functions of expr/lane_math.hpp are found
} // namespace lane_math

namespace el {

template <class X>
struct value_type {
    using type = float;
};
template <class X>
requires requires { typename X::value; }
struct value_type<X> {
    using type = typename X::value;
};
/// The type that a program or a row declares for its values, X::value; float if it declares none.
template <class X>
using value_of = typename value_type<X>::type;

} // namespace el

/// N numbers of T in plain loops, for types for which a device has no registers. Integers wrap around on overflow. Arch
/// is the device's own, by which its registers of other types are found.
template <class T, int N, class Arch = void>
struct lane_array : lane_math::value {
    T v[to_size(N)];
};

namespace detail {

/// The value type of N numbers of T beside registers of Arch.
template <class T, int N, class Arch>
struct lane_value {
    using type = lane_array<T, N, Arch>;
};
template <>
struct lane_value<float, 1, void> {
    using type = float;
};
template <>
struct lane_value<double, 1, void> {
    using type = double;
};
template <>
struct lane_value<bool, 1, void> {
    using type = float;
};

} // namespace detail
template <class T, int N, class Arch>
using lane_value_t = typename detail::lane_value<T, N, Arch>::type;

/// One real number.
template <class V>
requires std::is_floating_point_v<V>
struct lanes<V> {
    static constexpr int count = 1;
    using number = V;
    template <class T>
    using as = lane_value_t<T, 1, void>;
    template <class T>
    APRIORI_HD static constexpr V load(const T* p) noexcept {
        return element_cast<V>(*p);
    }
    template <class T>
    APRIORI_HD static constexpr V load_strided(const T* p, index_t) noexcept {
        return load(p);
    }
    template <class T>
    APRIORI_HD static constexpr V set(T x) noexcept {
        return element_cast<V>(x);
    }
    template <class T>
    APRIORI_HD static constexpr void store(T* p, V x) noexcept {
        *p = element_cast<T>(x);
    }
};

template <class U, int N, class Arch>
struct lanes<lane_array<U, N, Arch>> {
    using V = lane_array<U, N, Arch>;
    static constexpr int count = N;
    using number = U;
    template <class T>
    using as = lane_value_t<T, N, Arch>;
    template <class T>
    APRIORI_HD static constexpr V load(const T* p) noexcept {
        return load_strided(p, 1);
    }
    template <class T>
    APRIORI_HD static constexpr V load_strided(const T* p, index_t stride) noexcept {
        V x{};
        for (int i = 0; i < N; ++i) x.v[i] = element_cast<U>(p[i * stride]);
        return x;
    }
    template <class T>
    APRIORI_HD static constexpr V set(T number) noexcept {
        V x{};
        for (int i = 0; i < N; ++i) x.v[i] = element_cast<U>(number);
        return x;
    }
    template <class T>
    APRIORI_HD static constexpr void store(T* p, V x) noexcept {
        for (int i = 0; i < N; ++i) p[i] = element_cast<T>(x.v[i]);
    }
};

/// x with its numbers converted to those of a To, which has as many.
template <class To, class V>
APRIORI_HD constexpr To lanes_cast(V x) noexcept {
    if constexpr (std::is_same_v<To, V>)
        return x;
    else {
        static_assert(lanes<To>::count == lanes<V>::count);
        typename lanes<V>::number all[to_size(lanes<V>::count)]{};
        lanes<V>::store(all, x);
        return lanes<To>::load(all);
    }
}

/// The value type of one number that goes with values V.
template <class V>
using one_lane_t = std::conditional_t<lanes<V>::count == 1, V, lane_value_t<typename lanes<V>::number, 1, void>>;

/// A number as a value of one lane, and back.
template <class T>
APRIORI_HD constexpr auto one_lane(T number) noexcept {
    return lanes<lane_value_t<T, 1, void>>::set(number);
}
template <class V>
APRIORI_HD constexpr auto number_in(V x) noexcept {
    static_assert(lanes<V>::count == 1);
    typename lanes<V>::number n{};
    lanes<V>::store(&n, x);
    return n;
}

namespace detail {

/// The type in which arithmetic on T wraps around.
template <class T>
struct wrapping {
    using type = T;
};
template <class T>
requires std::is_integral_v<T>
struct wrapping<T> {
    using type = std::conditional_t<(sizeof(T) < 8), std::uint32_t, std::uint64_t>;
};

template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> for_lanes(auto f, const lane_array<T, N, A>& a, const auto&... b) noexcept {
    lane_array<T, N, A> r{};
    for (int i = 0; i < N; ++i) r.v[i] = T(f(a.v[i], b.v[i]...));
    return r;
}

} // namespace detail

template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> operator+(lane_array<T, N, A> a, lane_array<T, N, A> b) noexcept {
    using W = typename detail::wrapping<T>::type;
    return detail::for_lanes([](T x, T y) { return W(x) + W(y); }, a, b);
}
template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> operator-(lane_array<T, N, A> a, lane_array<T, N, A> b) noexcept {
    using W = typename detail::wrapping<T>::type;
    return detail::for_lanes([](T x, T y) { return W(x) - W(y); }, a, b);
}
template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> operator*(lane_array<T, N, A> a, lane_array<T, N, A> b) noexcept {
    using W = typename detail::wrapping<T>::type;
    return detail::for_lanes([](T x, T y) { return W(x) * W(y); }, a, b);
}
/// Only for real numbers: integers are divided as real numbers.
template <class T, int N, class A>
requires std::is_floating_point_v<T>
APRIORI_HD constexpr lane_array<T, N, A> operator/(lane_array<T, N, A> a, lane_array<T, N, A> b) noexcept {
    return detail::for_lanes([](T x, T y) { return x / y; }, a, b);
}
template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> operator-(lane_array<T, N, A> a) noexcept {
    if constexpr (std::is_floating_point_v<T>)
        return detail::for_lanes([](T x) { return -x; }, a);
    else
        return lanes<lane_array<T, N, A>>::set(T{0}) - a;
}
/// a < b ? yes : no, and a == b ? yes : no, lane by lane.
template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> where_less(lane_array<T, N, A> a, lane_array<T, N, A> b,
                                                    lane_array<T, N, A> yes, lane_array<T, N, A> no) noexcept {
    return detail::for_lanes([](T x, T y, T p, T q) { return x < y ? p : q; }, a, b, yes, no);
}
template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> where_equal(lane_array<T, N, A> a, lane_array<T, N, A> b,
                                                     lane_array<T, N, A> yes, lane_array<T, N, A> no) noexcept {
    return detail::for_lanes([](T x, T y, T p, T q) { return x == y ? p : q; }, a, b, yes, no);
}
template <class T, int N, class A>
requires std::is_integral_v<T>
APRIORI_HD constexpr lane_array<T, N, A> abs(lane_array<T, N, A> x) noexcept {
    const auto zero = lanes<lane_array<T, N, A>>::set(T{0});
    return where_less(x, zero, zero - x, x);
}
template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> fmin(lane_array<T, N, A> a, lane_array<T, N, A> b) noexcept {
    return where_less(a, b, a, b);
}
template <class T, int N, class A>
APRIORI_HD constexpr lane_array<T, N, A> fmax(lane_array<T, N, A> a, lane_array<T, N, A> b) noexcept {
    return where_less(b, a, a, b);
}

// Integers are already whole.
template <class T, int N, class A>
requires std::is_integral_v<T>
APRIORI_HD constexpr auto floor(lane_array<T, N, A> x) noexcept {
    return x;
}
template <class T, int N, class A>
requires std::is_integral_v<T>
APRIORI_HD constexpr auto ceil(lane_array<T, N, A> x) noexcept {
    return x;
}
template <class T, int N, class A>
requires std::is_integral_v<T>
APRIORI_HD constexpr auto trunc(lane_array<T, N, A> x) noexcept {
    return x;
}
template <class T, int N, class A>
requires std::is_integral_v<T>
APRIORI_HD constexpr auto nearbyint(lane_array<T, N, A> x) noexcept {
    return x;
}

namespace fn {

/// A number in every lane of a value like x; such a value itself stays as it is.
template <class V, class Number>
APRIORI_HD constexpr V set(V, Number number) noexcept {
    if constexpr (std::is_same_v<V, Number>)
        return number;
    else
        return lanes<V>::set(number);
}

} // namespace fn

} // namespace apriori
APRIORI_END_EXACT_MATH
