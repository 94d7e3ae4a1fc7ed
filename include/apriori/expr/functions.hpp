// SPDX-License-Identifier: Apache-2.0
// Functions of elements. A function object has a name, for plans and errors, a cost in floating-point operations (a
// transcendental counts as one), and works on a float or a register of them alike.
#pragma once

#include "apriori/core/fixed_string.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/expr/lanes.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::fn {

template <fixed_string Name, int Flops = 1>
struct function {
    static constexpr const char* name = Name.text;
    static constexpr int flops = Flops;
};

// Of floats; registers bring their own, found by their arguments.
using std::abs, std::acos, std::asin, std::atan, std::atan2, std::cbrt, std::ceil, std::cos, std::cosh, std::erf,
    std::exp, std::exp2, std::expm1, std::floor, std::fmod, std::log, std::log1p, std::log2, std::nearbyint, std::pow,
    std::sin, std::sinh, std::sqrt, std::tan, std::tanh, std::trunc;

// b where either is NaN, as the vector instructions have it.
APRIORI_HD inline float fmin(float a, float b) noexcept { return a < b ? a : b; }
APRIORI_HD inline float fmax(float a, float b) noexcept { return a > b ? a : b; }
/// a < b ? yes : no, and a == b ? yes : no; no where a or b is NaN.
APRIORI_HD inline float where_less(float a, float b, float yes, float no) noexcept { return a < b ? yes : no; }
APRIORI_HD inline float where_equal(float a, float b, float yes, float no) noexcept { return a == b ? yes : no; }

// clang-format off
struct add      : function<"add">      { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return a + b; } };
struct subtract : function<"subtract"> { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return a - b; } };
struct multiply : function<"multiply"> { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return a * b; } };
struct divide   : function<"divide">   { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return a / b; } };
struct minimum  : function<"minimum">  { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return fmin(a, b); } };
struct maximum  : function<"maximum">  { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return fmax(a, b); } };
struct negate   : function<"negate">   { APRIORI_HD auto operator()(auto x) const noexcept { return -x; } };
struct square   : function<"square">   { APRIORI_HD auto operator()(auto x) const noexcept { return x * x; } };

struct exponential        : function<"exp">  { APRIORI_HD auto operator()(auto x) const noexcept { return exp(x); } };
struct logarithm          : function<"log">  { APRIORI_HD auto operator()(auto x) const noexcept { return log(x); } };
struct square_root        : function<"sqrt"> { APRIORI_HD auto operator()(auto x) const noexcept { return sqrt(x); } };
struct sine               : function<"sin">  { APRIORI_HD auto operator()(auto x) const noexcept { return sin(x); } };
struct cosine             : function<"cos">  { APRIORI_HD auto operator()(auto x) const noexcept { return cos(x); } };
struct hyperbolic_tangent : function<"tanh"> { APRIORI_HD auto operator()(auto x) const noexcept { return tanh(x); } };
struct error_function     : function<"erf">  { APRIORI_HD auto operator()(auto x) const noexcept { return erf(x); } };

/// x itself: what brings the elements of a view side by side.
struct copy       : function<"copy", 0> { APRIORI_HD auto operator()(auto x) const noexcept { return x; } };
struct absolute   : function<"abs">   { APRIORI_HD auto operator()(auto x) const noexcept { return abs(x); } };
/// -1, 0 or 1, and NaN for NaN.
struct sign       : function<"sign">  { APRIORI_HD auto operator()(auto x) const noexcept { return where_less(set(x, 0.0f), x, set(x, 1.0f), where_less(x, set(x, 0.0f), set(x, -1.0f), x)); } };
struct floor_of   : function<"floor"> { APRIORI_HD auto operator()(auto x) const noexcept { return floor(x); } };
struct ceil_of    : function<"ceil">  { APRIORI_HD auto operator()(auto x) const noexcept { return ceil(x); } };
struct trunc_of   : function<"trunc"> { APRIORI_HD auto operator()(auto x) const noexcept { return trunc(x); } };
/// The nearest integer, of two the even one.
struct round_of   : function<"round"> { APRIORI_HD auto operator()(auto x) const noexcept { return nearbyint(x); } };
struct reciprocal_square_root : function<"rsqrt", 2> { APRIORI_HD auto operator()(auto x) const noexcept { return set(x, 1.0f) / sqrt(x); } };
struct cube_root  : function<"cbrt">  { APRIORI_HD auto operator()(auto x) const noexcept { return cbrt(x); } };
struct exp2_of    : function<"exp2">  { APRIORI_HD auto operator()(auto x) const noexcept { return exp2(x); } };
struct expm1_of   : function<"expm1"> { APRIORI_HD auto operator()(auto x) const noexcept { return expm1(x); } };
struct log2_of    : function<"log2">  { APRIORI_HD auto operator()(auto x) const noexcept { return log2(x); } };
struct log1p_of   : function<"log1p"> { APRIORI_HD auto operator()(auto x) const noexcept { return log1p(x); } };
struct tangent    : function<"tan">   { APRIORI_HD auto operator()(auto x) const noexcept { return tan(x); } };
struct arc_sine   : function<"asin">  { APRIORI_HD auto operator()(auto x) const noexcept { return asin(x); } };
struct arc_cosine : function<"acos">  { APRIORI_HD auto operator()(auto x) const noexcept { return acos(x); } };
struct arc_tangent       : function<"atan"> { APRIORI_HD auto operator()(auto x) const noexcept { return atan(x); } };
struct hyperbolic_sine   : function<"sinh"> { APRIORI_HD auto operator()(auto x) const noexcept { return sinh(x); } };
struct hyperbolic_cosine : function<"cosh"> { APRIORI_HD auto operator()(auto x) const noexcept { return cosh(x); } };
struct power      : function<"pow">   { APRIORI_HD auto operator()(auto x, auto y) const noexcept { return pow(x, y); } };
/// The angle of the point (x, y).
struct arc_tangent_of_two : function<"atan2"> { APRIORI_HD auto operator()(auto y, auto x) const noexcept { return atan2(y, x); } };
/// x - n y with n = x / y without its fraction: the sign is that of x.
struct remainder_of : function<"fmod"> { APRIORI_HD auto operator()(auto x, auto y) const noexcept { return fmod(x, y); } };

// 1 for true, 0 for false; with NaN only not_equal and isnan are true.
struct less          : function<"less">          { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_less(a, b, set(a, 1.0f), set(a, 0.0f)); } };
struct less_equal    : function<"less_equal">    { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_less(a, b, set(a, 1.0f), where_equal(a, b, set(a, 1.0f), set(a, 0.0f))); } };
struct greater       : function<"greater">       { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_less(b, a, set(a, 1.0f), set(a, 0.0f)); } };
struct greater_equal : function<"greater_equal"> { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_less(b, a, set(a, 1.0f), where_equal(a, b, set(a, 1.0f), set(a, 0.0f))); } };
struct equal         : function<"equal">         { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_equal(a, b, set(a, 1.0f), set(a, 0.0f)); } };
struct not_equal     : function<"not_equal">     { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_equal(a, b, set(a, 0.0f), set(a, 1.0f)); } };
struct is_nan        : function<"isnan">         { APRIORI_HD auto operator()(auto x) const noexcept { return where_equal(x, x, set(x, 0.0f), set(x, 1.0f)); } };
/// Logic of such values: every number but 0 is true, NaN too.
struct logical_not   : function<"logical_not">   { APRIORI_HD auto operator()(auto a) const noexcept { return where_equal(a, set(a, 0.0f), set(a, 1.0f), set(a, 0.0f)); } };
struct logical_and   : function<"logical_and">   { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_equal(a, set(a, 0.0f), set(a, 0.0f), where_equal(b, set(a, 0.0f), set(a, 0.0f), set(a, 1.0f))); } };
struct logical_or    : function<"logical_or">    { APRIORI_HD auto operator()(auto a, auto b) const noexcept { return where_equal(a, set(a, 0.0f), where_equal(b, set(a, 0.0f), set(a, 0.0f), set(a, 1.0f)), set(a, 1.0f)); } };
/// a if the condition is true, otherwise b.
struct where         : function<"where">         { APRIORI_HD auto operator()(auto condition, auto a, auto b) const noexcept { return where_equal(condition, set(a, 0.0f), b, a); } };

/// max(x, 0), and NaN for NaN.
struct relu       : function<"relu">          { APRIORI_HD auto operator()(auto x) const noexcept { return fmax(set(x, 0.0f), x); } };
/// 1 / (1 + exp(-x)).
struct sigmoid    : function<"sigmoid", 3>    { APRIORI_HD auto operator()(auto x) const noexcept { return set(x, 1.0f) / (set(x, 1.0f) + exp(-x)); } };
/// x sigmoid(x), also called swish (Elfwing et al. 2017).
struct silu       : function<"silu", 4>       { APRIORI_HD auto operator()(auto x) const noexcept { return x / (set(x, 1.0f) + exp(-x)); } };
/// x sigmoid(1.702 x): the approximation in OpenAI's CLIP (Hendrycks and Gimpel 2016, section 2).
struct quick_gelu : function<"quick_gelu", 4> { APRIORI_HD auto operator()(auto x) const noexcept { return x / (set(x, 1.0f) + exp(x * set(x, -1.702f))); } };
/// x Phi(x) = x/2 (1 + erf(x / sqrt 2)): the exact form (Hendrycks and Gimpel 2016), torch's nn.GELU().
struct gelu       : function<"gelu", 5>       { APRIORI_HD auto operator()(auto x) const noexcept { return set(x, 0.5f) * x * (set(x, 1.0f) + erf(x * set(x, 0.70710678118654752f))); } };
// clang-format on

/// x tanh(softplus(x)) (Misra 2019). With e = exp(x) and n = e (e + 2), tanh(log(1 + e)) = n / (n + 2); past x = 20
/// that is 1 in float32, and the clamp keeps n finite.
struct mish : function<"mish", 7> {
    APRIORI_HD auto operator()(auto x) const noexcept {
        const auto e = exp(fmin(set(x, 20.0f), x));
        const auto n = e * (e + set(x, 2.0f));
        return x * (n / (n + set(x, 2.0f)));
    }
};

/// x * factor + addend, of numbers that are known when the expression is built.
struct affine : function<"affine", 2> {
    float factor, addend;
    constexpr affine(float f = 1, float a = 0) : factor(f), addend(a) {}
    APRIORI_HD auto operator()(auto x) const noexcept { return x * set(x, factor) + set(x, addend); }
};

/// min(max(x, low), high), and NaN for NaN.
struct clamp : function<"clamp", 2> {
    float low, high;
    constexpr clamp(float l = 0, float h = 0) : low(l), high(h) {}
    APRIORI_HD auto operator()(auto x) const noexcept { return fmin(set(x, high), fmax(set(x, low), x)); }
};

} // namespace apriori::fn
APRIORI_END_EXACT_MATH
