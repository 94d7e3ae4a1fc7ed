// SPDX-License-Identifier: Apache-2.0
// What norms reduce over a row. A norm is written against `Row`, which each device implements:
//     row.sum(f)   the sum over the row's elements x of f(x), as float
//     row.max(f)   the largest f(x), as float; where one is NaN, any of them
#pragma once

#include "apriori/expr/functions.hpp"

#include <cmath>

namespace apriori::fn {

struct identity {
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return x;
    }
};

struct squared {
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return x * x;
    }
};

/// (x - shift)^2.
struct squared_from {
    float shift = 0;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        const V d = x - lanes<V>::set(shift);
        return d * d;
    }
};

/// exp(x - shift).
struct exp_from {
    float shift = 0;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::exp;
        return exp(x - lanes<V>::set(shift));
    }
};

/// -x: the smallest element is the negated largest of these.
struct negated {
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return -x;
    }
};

/// x kept in 0 .. 1: the sum of them over a row is NaN where an element is, and finite where none is.
struct between_0_and_1 {
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return fmin(lanes<V>::set(1.0f), fmax(lanes<V>::set(0.0f), x));
    }
};

} // namespace apriori::fn
