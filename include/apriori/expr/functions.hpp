// SPDX-License-Identifier: Apache-2.0
// Arithmetic and elementary functions of elements. A function object has a name for plans, a cost in floating-point
// operations (a transcendental counts as one), and works on a float or a SIMD register alike.
#pragma once

#include "apriori/expr/lanes.hpp"

#include <cmath>

namespace apriori::fn {

// The scalar functions behind the names that SIMD adapters overload for their registers; b where either is NaN, as the
// vector instructions have it.
APRIORI_HD inline float fmin(float a, float b) noexcept { return a < b ? a : b; }
APRIORI_HD inline float fmax(float a, float b) noexcept { return a > b ? a : b; }

struct add {
    static constexpr const char* name = "add";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V a, V b) const noexcept {
        return a + b;
    }
};

struct subtract {
    static constexpr const char* name = "subtract";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V a, V b) const noexcept {
        return a - b;
    }
};

struct multiply {
    static constexpr const char* name = "multiply";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V a, V b) const noexcept {
        return a * b;
    }
};

struct divide {
    static constexpr const char* name = "divide";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V a, V b) const noexcept {
        return a / b;
    }
};

struct minimum {
    static constexpr const char* name = "minimum";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V a, V b) const noexcept {
        return fmin(a, b);
    }
};

struct maximum {
    static constexpr const char* name = "maximum";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V a, V b) const noexcept {
        return fmax(a, b);
    }
};

struct negate {
    static constexpr const char* name = "negate";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return -x;
    }
};

struct square {
    static constexpr const char* name = "square";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return x * x;
    }
};

struct exponential {
    static constexpr const char* name = "exp";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::exp;
        return exp(x);
    }
};

struct logarithm {
    static constexpr const char* name = "log";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::log;
        return log(x);
    }
};

struct square_root {
    static constexpr const char* name = "sqrt";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::sqrt;
        return sqrt(x);
    }
};

struct sine {
    static constexpr const char* name = "sin";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::sin;
        return sin(x);
    }
};

struct cosine {
    static constexpr const char* name = "cos";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::cos;
        return cos(x);
    }
};

struct hyperbolic_tangent {
    static constexpr const char* name = "tanh";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::tanh;
        return tanh(x);
    }
};

/// The error function, erf(x).
struct error_function {
    static constexpr const char* name = "erf";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::erf;
        return erf(x);
    }
};

/// Element-wise a * b + c with one factor and one addend known when the expression is built.
struct affine {
    static constexpr const char* name = "affine";
    static constexpr int flops = 2;
    float factor = 1;
    float addend = 0;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return x * lanes<V>::set(factor) + lanes<V>::set(addend);
    }
};

/// min(max(x, low), high), and NaN for NaN.
struct clamp {
    static constexpr const char* name = "clamp";
    static constexpr int flops = 2;
    float low = 0;
    float high = 0;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return fmin(lanes<V>::set(high), fmax(lanes<V>::set(low), x));
    }
};

} // namespace apriori::fn
