// SPDX-License-Identifier: Apache-2.0
// Element types: which type an operation on two of them computes in, and how they are converted.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/half.hpp"
#include "apriori/core/macros.hpp"

#include <cstdint>
#include <limits>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The kind of an element type: a truth value, an integer or a real number. Each converts implicitly to those after it.
enum class element_kind { none, mask, integer, real };

template <class T>
inline constexpr element_kind kind_of = element_kind::none;
template <>
inline constexpr element_kind kind_of<bool> = element_kind::mask;
template <>
inline constexpr element_kind kind_of<std::uint8_t> = element_kind::integer;
template <>
inline constexpr element_kind kind_of<std::int32_t> = element_kind::integer;
template <>
inline constexpr element_kind kind_of<std::int64_t> = element_kind::integer;
template <>
inline constexpr element_kind kind_of<float16> = element_kind::real;
template <>
inline constexpr element_kind kind_of<bfloat16> = element_kind::real;
template <>
inline constexpr element_kind kind_of<float> = element_kind::real;
template <>
inline constexpr element_kind kind_of<double> = element_kind::real;

/// An element type that expressions accept.
template <class T>
concept element = kind_of<T> != element_kind::none;

/// The type that elements are computed in: float for the 16-bit floats, otherwise the type itself.
template <class T>
using computed_t = std::conditional_t<kind_of<T> == element_kind::real && sizeof(T) == 2, float, T>;

namespace detail {

template <class A, class B>
struct promotion {
    static constexpr element_kind a = kind_of<A>, b = kind_of<B>;
    using wider = std::conditional_t<(sizeof(A) >= sizeof(B)), A, B>;
    using integer = std::conditional_t<a == element_kind::integer, A, B>;
    using real = std::conditional_t<a == element_kind::real, A, B>;
    using mixed = std::conditional_t<sizeof(integer) == 1, real, double>;
    using type = std::conditional_t<
        a == b, wider,
        std::conditional_t<a == element_kind::mask, B, std::conditional_t<b == element_kind::mask, A, mixed>>>;
};

template <class A, class... Rest>
struct promotion_of {
    using type = A;
};
template <class A, class B, class... Rest>
struct promotion_of<A, B, Rest...> {
    using type = typename promotion_of<typename promotion<A, B>::type, Rest...>::type;
};

} // namespace detail

/// The type in which an operation on elements of these types computes, as in NumPy: the wider of two types of one kind;
/// the number type if the other is a mask; double for an integer of 32 bits or more with a real number. 16-bit floats
/// count as float.
template <class... T>
using promoted_t = typename detail::promotion_of<computed_t<T>...>::type;
/// The same for a tensor of T and a number of type S: T if the kind of S converts to that of T. Otherwise int64 for an
/// integer; for a real number, S with elements of one byte and double with larger ones.
template <class T, class S>
using promoted_with_number_t = std::conditional_t<
    std::is_same_v<S, bool> || (std::is_integral_v<S> && kind_of<T> != element_kind::mask) ||
        kind_of<T> == element_kind::real,
    T, std::conditional_t<std::is_integral_v<S>, std::int64_t, std::conditional_t<sizeof(T) == 1, S, double>>>;
/// The type that functions of real numbers compute in: integers of 32 bits or more become double, smaller ones and
/// masks float.
template <class T>
using real_t =
    std::conditional_t<kind_of<T> == element_kind::real, T, std::conditional_t<(sizeof(T) > 1), double, float>>;

namespace detail {

template <class T>
inline constexpr T largest = (std::numeric_limits<T>::max)();
template <class T>
inline constexpr T least = std::numeric_limits<T>::lowest();

} // namespace detail

/// x as a To. A mask becomes 1 or 0; a number becomes true unless it is 0. A real number loses its fraction as an
/// integer; if it is out of range it becomes the nearest integer in range, and NaN becomes 0. An integer that is too
/// wide loses its upper bits.
template <class To, class From>
APRIORI_HD constexpr To element_cast(From x) noexcept {
    if constexpr (std::is_same_v<To, From>)
        return x;
    else if constexpr (std::is_same_v<To, bool>)
        return computed_t<From>(x) != computed_t<From>(0);
    else if constexpr (std::is_floating_point_v<To> || kind_of<To> == element_kind::real) {
        if constexpr (sizeof(To) == 2)
            return To(float(x));
        else
            return To(computed_t<From>(x));
    } else if constexpr (kind_of<From> == element_kind::real) {
        const auto number = computed_t<From>(x);
        if (is_nan(number)) return To{0};
        // as a real number, the largest To may round up to one that To cannot hold
        if (number >= decltype(number)(detail::largest<To>)) return detail::largest<To>;
        if (number <= decltype(number)(detail::least<To>)) return detail::least<To>;
        return To(number);
    } else
        return To(x);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
