// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/functions.hpp"

namespace apriori::fn {

/// x sigmoid(x), also called swish (Elfwing et al. 2017).
struct silu {
    static constexpr const char* name = "silu";
    static constexpr int flops = 4;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::exp;
        return x / (lanes<V>::set(1.0f) + exp(-x));
    }
};

} // namespace apriori::fn
