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
using std::cos, std::erf, std::exp, std::log, std::sin, std::sqrt, std::tanh;

// b where either is NaN, as the vector instructions have it.
APRIORI_HD inline float fmin(float a, float b) noexcept { return a < b ? a : b; }
APRIORI_HD inline float fmax(float a, float b) noexcept { return a > b ? a : b; }

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
