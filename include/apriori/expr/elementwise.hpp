// SPDX-License-Identifier: Apache-2.0
// Element-wise nodes: functions of operands that broadcast against each other, and the operators that build them.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/concepts.hpp"
#include "apriori/expr/functions.hpp"

#include <utility>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// F of each element of its operands. F is a function object as in expr/functions.hpp.
template <class F, class... Args>
struct elementwise_node {
    using apriori_expression = void;
    using extents_type = broadcast_t<name_of<F>, extents_of<Args>...>;
    using types = fn::types<F, computed_t<element_of<Args>>...>;
    using value_type = typename types::result;

    F f;
    el::pack<Args...> args;

    constexpr extents_type ext() const {
        return el::unpack([](const Args&... a) { return broadcast_sizes<extents_type>(a.ext()...); }, args);
    }
    constexpr status check() const { return check_in(ext()); }
    constexpr status check_in(const auto& result) const {
        return el::unpack(
            [&](const Args&... a) {
                status s;
                (void)((s = detail::check_operand<name_of<F>>(a, result)).ok() && ...);
                return s;
            },
            args);
    }
};

namespace detail {

/// The type of A's elements; bool for a number, because it promotes to every other type.
template <class A>
using element_or_mask =
    typename std::conditional_t<expression<A>, element_type<std::remove_cvref_t<A>>, std::type_identity<bool>>::type;
/// What the expressions among a function's operands are promoted to; for a choice, without its condition.
template <class F, class... A>
struct promoted_expressions;
template <class F, class First, class... Rest>
struct promoted_expressions<F, First, Rest...> {
    static constexpr bool first_is_condition = fn::typing_of<F> == fn::typed::choice;
    using type =
        promoted_t<std::conditional_t<first_is_condition, bool, element_or_mask<First>>, element_or_mask<Rest>...>;
};

/// An operand, as a node, of a function whose expressions are promoted to T.
template <class T, class A>
constexpr decltype(auto) operand_node(A&& a) {
    using plain = std::remove_cvref_t<A>;
    if constexpr (expression<A>)
        return as_node(a);
    else
        return as_node<promoted_with_number_t<T, std::conditional_t<std::is_arithmetic_v<plain>, plain, float>>>(a);
}
template <class T, class A>
using operand_node_t = std::remove_cvref_t<decltype(operand_node<T>(std::declval<const std::remove_cvref_t<A>&>()))>;

} // namespace detail

/// Applies a function object, as in expr/functions.hpp, to operands that broadcast.
template <class F, operand... Args>
constexpr auto elementwise(F f, Args&&... args) {
    static_assert((detail::lasts<Args> && ...), "apriori: an expression keeps views: an operand is a temporary tensor, "
                                                "which does not live until the expression is assigned");
    constexpr bool described = requires {
        std::string_view(F::name);
        int(F::flops);
    };
    static_assert(described,
                  "apriori: elementwise: a function object needs `static constexpr const char* name`, which plans and "
                  "errors show, and `static constexpr int flops`, its cost");
    if constexpr (described) {
        using T = typename detail::promoted_expressions<F, Args...>::type;
        using node = elementwise_node<F, detail::operand_node_t<T, Args>...>;
        constexpr bool typed_numbers = requires { requires F::typing == fn::typed::numbers; };
        static_assert(!typed_numbers || node::types::masks == false,
                      "apriori: a function of numbers has only masks as operands: combine masks by && || !, or make "
                      "numbers of them "
                      "by cast<float>(mask)");
        return node{f, {{detail::operand_node<T>(args)}...}};
    }
}

/// An operand that makes an expression together with A: one of the two is an expression, not a number.
template <class B, class A>
concept operand_with = operand<B> && (expression<A> || expression<B>);

/// Arithmetic, element by element. Operands broadcast and are promoted as in core/element.hpp; quotients are real.
template <operand A, operand_with<A> B>
constexpr auto operator+(A&& a, B&& b) {
    return elementwise(fn::add{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator-(A&& a, B&& b) {
    return elementwise(fn::subtract{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator*(A&& a, B&& b) {
    return elementwise(fn::multiply{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator/(A&& a, B&& b) {
    return elementwise(fn::divide{}, std::forward<A>(a), std::forward<B>(b));
}
constexpr auto operator-(expression auto&& a) { return elementwise(fn::negate{}, std::forward<decltype(a)>(a)); }

/// The smaller or larger of two elements; b if either is NaN.
template <operand A, operand_with<A> B>
constexpr auto minimum(A&& a, B&& b) {
    return elementwise(fn::minimum{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto maximum(A&& a, B&& b) {
    return elementwise(fn::maximum{}, std::forward<A>(a), std::forward<B>(b));
}
/// Functions of each element, see expr/functions.hpp.
constexpr auto square(expression auto&& x) { return elementwise(fn::square{}, std::forward<decltype(x)>(x)); }
constexpr auto exp(expression auto&& x) { return elementwise(fn::exponential{}, std::forward<decltype(x)>(x)); }
constexpr auto log(expression auto&& x) { return elementwise(fn::logarithm{}, std::forward<decltype(x)>(x)); }
constexpr auto sqrt(expression auto&& x) { return elementwise(fn::square_root{}, std::forward<decltype(x)>(x)); }
constexpr auto sin(expression auto&& x) { return elementwise(fn::sine{}, std::forward<decltype(x)>(x)); }
constexpr auto cos(expression auto&& x) { return elementwise(fn::cosine{}, std::forward<decltype(x)>(x)); }
constexpr auto tanh(expression auto&& x) { return elementwise(fn::hyperbolic_tangent{}, std::forward<decltype(x)>(x)); }
constexpr auto erf(expression auto&& x) { return elementwise(fn::error_function{}, std::forward<decltype(x)>(x)); }
constexpr auto gelu(expression auto&& x) { return elementwise(fn::gelu{}, std::forward<decltype(x)>(x)); }
constexpr auto quick_gelu(expression auto&& x) { return elementwise(fn::quick_gelu{}, std::forward<decltype(x)>(x)); }
constexpr auto silu(expression auto&& x) { return elementwise(fn::silu{}, std::forward<decltype(x)>(x)); }
constexpr auto mish(expression auto&& x) { return elementwise(fn::mish{}, std::forward<decltype(x)>(x)); }
constexpr auto relu(expression auto&& x) { return elementwise(fn::relu{}, std::forward<decltype(x)>(x)); }
constexpr auto sigmoid(expression auto&& x) { return elementwise(fn::sigmoid{}, std::forward<decltype(x)>(x)); }
// clang-format off
constexpr auto abs(expression auto&& x) { return elementwise(fn::absolute{}, std::forward<decltype(x)>(x)); }
constexpr auto sign(expression auto&& x) { return elementwise(fn::sign{}, std::forward<decltype(x)>(x)); }
constexpr auto floor(expression auto&& x) { return elementwise(fn::floor_of{}, std::forward<decltype(x)>(x)); }
constexpr auto ceil(expression auto&& x) { return elementwise(fn::ceil_of{}, std::forward<decltype(x)>(x)); }
constexpr auto trunc(expression auto&& x) { return elementwise(fn::trunc_of{}, std::forward<decltype(x)>(x)); }
constexpr auto round(expression auto&& x) { return elementwise(fn::round_of{}, std::forward<decltype(x)>(x)); }
constexpr auto rsqrt(expression auto&& x) { return elementwise(fn::reciprocal_square_root{}, std::forward<decltype(x)>(x)); }
constexpr auto cbrt(expression auto&& x) { return elementwise(fn::cube_root{}, std::forward<decltype(x)>(x)); }
constexpr auto exp2(expression auto&& x) { return elementwise(fn::exp2_of{}, std::forward<decltype(x)>(x)); }
constexpr auto expm1(expression auto&& x) { return elementwise(fn::expm1_of{}, std::forward<decltype(x)>(x)); }
constexpr auto log2(expression auto&& x) { return elementwise(fn::log2_of{}, std::forward<decltype(x)>(x)); }
constexpr auto log1p(expression auto&& x) { return elementwise(fn::log1p_of{}, std::forward<decltype(x)>(x)); }
constexpr auto tan(expression auto&& x) { return elementwise(fn::tangent{}, std::forward<decltype(x)>(x)); }
constexpr auto asin(expression auto&& x) { return elementwise(fn::arc_sine{}, std::forward<decltype(x)>(x)); }
constexpr auto acos(expression auto&& x) { return elementwise(fn::arc_cosine{}, std::forward<decltype(x)>(x)); }
constexpr auto atan(expression auto&& x) { return elementwise(fn::arc_tangent{}, std::forward<decltype(x)>(x)); }
constexpr auto sinh(expression auto&& x) { return elementwise(fn::hyperbolic_sine{}, std::forward<decltype(x)>(x)); }
constexpr auto cosh(expression auto&& x) { return elementwise(fn::hyperbolic_cosine{}, std::forward<decltype(x)>(x)); }
constexpr auto isnan(expression auto&& x) { return elementwise(fn::is_nan{}, std::forward<decltype(x)>(x)); }
// clang-format on
/// a to the power of b.
template <operand A, operand_with<A> B>
constexpr auto pow(A&& a, B&& b) {
    return elementwise(fn::power{}, std::forward<A>(a), std::forward<B>(b));
}
/// The angle of the point (b, a).
template <operand A, operand_with<A> B>
constexpr auto atan2(A&& a, B&& b) {
    return elementwise(fn::arc_tangent_of_two{}, std::forward<A>(a), std::forward<B>(b));
}
/// a - n b with n = a / b truncated; the sign is that of a.
template <operand A, operand_with<A> B>
constexpr auto fmod(A&& a, B&& b) {
    return elementwise(fn::remainder_of{}, std::forward<A>(a), std::forward<B>(b));
}
/// Masks: true where a and b are equal, or not equal.
template <operand A, operand_with<A> B>
constexpr auto equal(A&& a, B&& b) {
    return elementwise(fn::equal{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto not_equal(A&& a, B&& b) {
    return elementwise(fn::not_equal{}, std::forward<A>(a), std::forward<B>(b));
}
// Comparisons and logic give masks.
template <operand A, operand_with<A> B>
constexpr auto operator<(A&& a, B&& b) {
    return elementwise(fn::less{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator<=(A&& a, B&& b) {
    return elementwise(fn::less_equal{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator>(A&& a, B&& b) {
    return elementwise(fn::greater{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator>=(A&& a, B&& b) {
    return elementwise(fn::greater_equal{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator&&(A&& a, B&& b) {
    return elementwise(fn::logical_and{}, std::forward<A>(a), std::forward<B>(b));
}
template <operand A, operand_with<A> B>
constexpr auto operator||(A&& a, B&& b) {
    return elementwise(fn::logical_or{}, std::forward<A>(a), std::forward<B>(b));
}
constexpr auto operator!(expression auto&& a) { return elementwise(fn::logical_not{}, std::forward<decltype(a)>(a)); }
/// a where the condition is not 0, otherwise b; both are computed.
template <operand C, operand A, operand B>
requires(expression<C> || expression<A> || expression<B>)
constexpr auto where(C&& condition, A&& a, B&& b) {
    return elementwise(fn::where{}, std::forward<C>(condition), std::forward<A>(a), std::forward<B>(b));
}
/// x with its elements converted to T (core/element.hpp). float16 and bfloat16 become float, which a destination may
/// round.
template <element T, expression X>
constexpr auto cast(X&& x) {
    return elementwise(fn::cast<computed_t<T>>{}, std::forward<X>(x));
}
/// x * factor + addend.
constexpr auto affine(expression auto&& x, float factor, float addend) {
    return elementwise(fn::affine{factor, addend}, std::forward<decltype(x)>(x));
}
namespace detail {

/// A number as a T; for integers, the nearest that T can hold.
template <class T, class S>
constexpr T nearest(S number) {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<S>) {
        if (std::cmp_greater(+number, +largest<T>)) return largest<T>;
        if (std::cmp_less(+number, +least<T>)) return least<T>;
    }
    return T(number);
}

} // namespace detail
/// min(max(x, low), high). Integers with real bounds become real numbers.
template <expression X>
constexpr auto clamp(X&& x, std::convertible_to<float> auto low, std::convertible_to<float> auto high) {
    using own = computed_t<element_of<X>>;
    using T = std::conditional_t<std::is_same_v<own, float>, float,
                                 promoted_with_number_t<promoted_with_number_t<own, decltype(low)>, decltype(high)>>;
    const fn::clamp_to<T> f{detail::nearest<T>(low), detail::nearest<T>(high)};
    if constexpr (std::is_same_v<own, T>)
        return elementwise(f, std::forward<X>(x));
    else
        return elementwise(f, cast<T>(std::forward<X>(x)));
}

} // namespace apriori
APRIORI_END_EXACT_MATH
