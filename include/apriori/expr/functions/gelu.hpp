// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/functions.hpp"

namespace apriori::fn {

/// x Phi(x) = x/2 (1 + erf(x / sqrt 2)): the exact form (Hendrycks and Gimpel 2016), torch's nn.GELU().
struct gelu {
    static constexpr const char* name = "gelu";
    static constexpr int flops = 5;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::erf;
        return lanes<V>::set(0.5f) * x * (lanes<V>::set(1.0f) + erf(x * lanes<V>::set(0.70710678118654752f)));
    }
};

} // namespace apriori::fn
