// SPDX-License-Identifier: Apache-2.0
// Functions of elements. A function object has a name, for plans and errors, and a cost in floating-point operations (a
// transcendental counts as one). It works on one number and on a register of them alike, of float, double or an integer
// type. Its `typing` says what its operands are converted to first, and what type its result has.
#pragma once

#include "apriori/core/fixed_string.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/expr/lanes.hpp"

#include <cmath>
#include <concepts>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::fn {

/// Which types a function takes. Several operands are first promoted to one type (core/element.hpp).
enum class typed {
    alike,      ///< any, including masks; the result has the same type
    numbers,    ///< any, but not only masks; the result has the same type
    reals,      ///< real numbers; integers and masks are converted to them
    comparison, ///< any; the result is a mask
    choice,     ///< a condition of any type, and others of one type
};

template <fixed_string Name, int Flops = 1, typed Typing = typed::numbers>
struct function {
    static constexpr const char* name = Name.text;
    static constexpr int flops = Flops;
    static constexpr typed typing = Typing;
};
template <fixed_string Name, int Flops = 1>
using real_function = function<Name, Flops, typed::reals>;
template <fixed_string Name>
using comparison = function<Name, 1, typed::comparison>;

/// The typing of F. A function that declares none takes numbers, and masks as floats.
template <class F>
inline constexpr typed typing_of = [] {
    if constexpr (requires { F::typing; })
        return F::typing;
    else
        return typed::numbers;
}();

/// What F computes in for operands of those types (computed_t), and the type of its result. The values of a mask are
/// the numbers 1 and 0.
template <class F, class... T>
struct types {
    static constexpr typed typing = typing_of<F>;
    static constexpr bool chooses_by_number = false; ///< the first operand is a condition, but not a mask
    using promoted = promoted_t<T...>;
    static constexpr bool masks = std::is_same_v<promoted, bool>;
    using computed =
        std::conditional_t<typing == typed::reals || (masks && typing == typed::numbers), real_t<promoted>, promoted>;
    using result = std::conditional_t<typing == typed::comparison, bool, computed>;
};
template <class T>
struct cast;
template <class T, class From>
struct types<cast<T>, From> {
    static constexpr bool chooses_by_number = false, masks = std::is_same_v<From, bool>;
    using computed = From;
    using result = T;
};
template <class F, class Condition, class... T>
requires(typing_of<F> == typed::choice)
struct types<F, Condition, T...> {
    static constexpr bool chooses_by_number = !std::is_same_v<Condition, bool>, masks = false;
    using computed = promoted_t<T...>;
    using result = computed;
};

// For one number; registers have their own, found by argument-dependent lookup.
using std::abs, std::acos, std::asin, std::atan, std::atan2, std::cbrt, std::ceil, std::cos, std::cosh, std::erf,
    std::exp, std::exp2, std::expm1, std::floor, std::fmod, std::log, std::log1p, std::log2, std::nearbyint, std::pow,
    std::sin, std::sinh, std::sqrt, std::tan, std::tanh, std::trunc;

// b if either is NaN, like the vector instructions.
template <std::floating_point T>
APRIORI_HD constexpr T fmin(T a, T b) noexcept {
    return a < b ? a : b;
}
template <std::floating_point T>
APRIORI_HD constexpr T fmax(T a, T b) noexcept {
    return a > b ? a : b;
}
/// a < b ? yes : no, and a == b ? yes : no; no if a or b is NaN.
template <std::floating_point T>
APRIORI_HD constexpr T where_less(T a, T b, T yes, T no) noexcept {
    return a < b ? yes : no;
}
template <std::floating_point T>
APRIORI_HD constexpr T where_equal(T a, T b, T yes, T no) noexcept {
    return a == b ? yes : no;
}

// clang-format off
struct add      : function<"add">      { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return a + b; } };
struct subtract : function<"subtract"> { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return a - b; } };
struct multiply : function<"multiply"> { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return a * b; } };
struct divide   : real_function<"divide">   { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return a / b; } };
struct minimum  : function<"minimum", 1, typed::alike>  { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return fmin(a, b); } };
struct maximum  : function<"maximum", 1, typed::alike>  { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return fmax(a, b); } };
struct negate   : function<"negate">   { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return -x; } };
struct square   : function<"square">   { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return x * x; } };

struct exponential        : real_function<"exp">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return exp(x); } };
struct logarithm          : real_function<"log">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return log(x); } };
struct square_root        : real_function<"sqrt"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return sqrt(x); } };
struct sine               : real_function<"sin">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return sin(x); } };
struct cosine             : real_function<"cos">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return cos(x); } };
struct hyperbolic_tangent : real_function<"tanh"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return tanh(x); } };
struct error_function     : real_function<"erf">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return erf(x); } };

/// x itself; makes the elements of a view contiguous.
struct copy       : function<"copy", 0, typed::alike> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return x; } };
/// x as a T (element_cast).
template <class T>
struct cast       : function<"cast", 0, typed::alike> {
    APRIORI_HD constexpr auto operator()(auto x) const noexcept {
        if constexpr (std::is_same_v<T, bool>)
            return where_equal(x, set(x, 0), set(x, 0), set(x, 1));
        else
            return lanes_cast<typename lanes<decltype(x)>::template as<T>>(x);
    }
};
struct absolute   : function<"abs">   { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return abs(x); } };
/// -1, 0 or 1; NaN for NaN.
struct sign       : function<"sign">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return where_less(set(x, 0.0f), x, set(x, 1.0f), where_less(x, set(x, 0.0f), set(x, -1.0f), x)); } };
struct floor_of   : function<"floor"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return floor(x); } };
struct ceil_of    : function<"ceil">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return ceil(x); } };
struct trunc_of   : function<"trunc"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return trunc(x); } };
/// The nearest integer, ties to even.
struct round_of   : function<"round"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return nearbyint(x); } };
struct reciprocal_square_root : real_function<"rsqrt", 2> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return set(x, 1.0f) / sqrt(x); } };
struct cube_root  : real_function<"cbrt">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return cbrt(x); } };
struct exp2_of    : real_function<"exp2">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return exp2(x); } };
struct expm1_of   : real_function<"expm1"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return expm1(x); } };
struct log2_of    : real_function<"log2">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return log2(x); } };
struct log1p_of   : real_function<"log1p"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return log1p(x); } };
struct tangent    : real_function<"tan">   { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return tan(x); } };
struct arc_sine   : real_function<"asin">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return asin(x); } };
struct arc_cosine : real_function<"acos">  { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return acos(x); } };
struct arc_tangent       : real_function<"atan"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return atan(x); } };
struct hyperbolic_sine   : real_function<"sinh"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return sinh(x); } };
struct hyperbolic_cosine : real_function<"cosh"> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return cosh(x); } };
struct power      : real_function<"pow">   { APRIORI_HD constexpr auto operator()(auto x, auto y) const noexcept { return pow(x, y); } };
/// The angle of the point (x, y).
struct arc_tangent_of_two : real_function<"atan2"> { APRIORI_HD constexpr auto operator()(auto y, auto x) const noexcept { return atan2(y, x); } };
/// x - n y with n = x / y truncated; the sign is that of x.
struct remainder_of : real_function<"fmod"> { APRIORI_HD constexpr auto operator()(auto x, auto y) const noexcept { return fmod(x, y); } };

// Masks, as the numbers 1 and 0. With NaN only not_equal and isnan are true.
struct less          : comparison<"less">          { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_less(a, b, set(a, 1.0f), set(a, 0.0f)); } };
struct less_equal    : comparison<"less_equal">    { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_less(a, b, set(a, 1.0f), where_equal(a, b, set(a, 1.0f), set(a, 0.0f))); } };
struct greater       : comparison<"greater">       { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_less(b, a, set(a, 1.0f), set(a, 0.0f)); } };
struct greater_equal : comparison<"greater_equal"> { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_less(b, a, set(a, 1.0f), where_equal(a, b, set(a, 1.0f), set(a, 0.0f))); } };
struct equal         : comparison<"equal">         { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_equal(a, b, set(a, 1.0f), set(a, 0.0f)); } };
struct not_equal     : comparison<"not_equal">     { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_equal(a, b, set(a, 0.0f), set(a, 1.0f)); } };
struct is_nan        : comparison<"isnan">         { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return where_equal(x, x, set(x, 0.0f), set(x, 1.0f)); } };
/// Logic on such values: every number but 0 is true, including NaN.
struct logical_not   : comparison<"logical_not">   { APRIORI_HD constexpr auto operator()(auto a) const noexcept { return where_equal(a, set(a, 0.0f), set(a, 1.0f), set(a, 0.0f)); } };
struct logical_and   : comparison<"logical_and">   { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_equal(a, set(a, 0.0f), set(a, 0.0f), where_equal(b, set(a, 0.0f), set(a, 0.0f), set(a, 1.0f))); } };
struct logical_or    : comparison<"logical_or">    { APRIORI_HD constexpr auto operator()(auto a, auto b) const noexcept { return where_equal(a, set(a, 0.0f), where_equal(b, set(a, 0.0f), set(a, 0.0f), set(a, 1.0f)), set(a, 1.0f)); } };
/// a if the condition is true, otherwise b.
struct where         : function<"where", 1, typed::choice>         { APRIORI_HD constexpr auto operator()(auto condition, auto a, auto b) const noexcept { return where_equal(condition, set(a, 0.0f), b, a); } };

/// max(x, 0); NaN for NaN.
struct relu       : function<"relu">          { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return fmax(set(x, 0.0f), x); } };
/// 1 / (1 + exp(-x)).
struct sigmoid    : real_function<"sigmoid", 3>    { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return set(x, 1.0f) / (set(x, 1.0f) + exp(-x)); } };
/// x sigmoid(x), also called swish (Elfwing et al. 2017).
struct silu       : real_function<"silu", 4>       { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return x / (set(x, 1.0f) + exp(-x)); } };
/// x sigmoid(1.702 x): the approximation in OpenAI's CLIP (Hendrycks and Gimpel 2016, section 2).
struct quick_gelu : real_function<"quick_gelu", 4> { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return x / (set(x, 1.0f) + exp(x * set(x, -1.702))); } };
/// x Phi(x) = x/2 (1 + erf(x / sqrt 2)): the exact form (Hendrycks and Gimpel 2016), torch's nn.GELU().
struct gelu       : real_function<"gelu", 5>       { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return set(x, 0.5f) * x * (set(x, 1.0f) + erf(x * set(x, 0.70710678118654752))); } };
// clang-format on

/// x tanh(softplus(x)) (Misra 2019). With e = exp(x) and n = e (e + 2), tanh(log(1 + e)) = n / (n + 2); past x = 20
/// that is 1 in float32, and the clamp keeps n finite.
struct mish : real_function<"mish", 7> {
    APRIORI_HD constexpr auto operator()(auto x) const noexcept {
        const auto e = exp(fmin(set(x, 20.0f), x));
        const auto n = e * (e + set(x, 2.0f));
        return x * (n / (n + set(x, 2.0f)));
    }
};

/// x * factor + addend, with numbers that are known when the expression is built.
struct affine : real_function<"affine", 2> {
    float factor, addend;
    constexpr affine(float f = 1, float a = 0) : factor(f), addend(a) {}
    APRIORI_HD constexpr auto operator()(auto x) const noexcept { return x * set(x, factor) + set(x, addend); }
};

/// min(max(x, low), high); NaN for NaN.
template <class T>
struct clamp_to : function<"clamp", 2> {
    T low, high;
    constexpr clamp_to(T l = {}, T h = {}) : low(l), high(h) {}
    APRIORI_HD constexpr auto operator()(auto x) const noexcept { return fmin(set(x, high), fmax(set(x, low), x)); }
};

} // namespace apriori::fn
APRIORI_END_EXACT_MATH
