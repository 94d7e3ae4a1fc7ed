// SPDX-License-Identifier: Apache-2.0
// What norms reduce over a row. A norm is written against `Row`, which each device implements:
//     row.sum(f)   the sum over the row's elements x of f(x), as float
//     row.max(f)   the largest f(x), as float
#pragma once

#include "apriori/expr/lanes.hpp"

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

} // namespace apriori::fn
