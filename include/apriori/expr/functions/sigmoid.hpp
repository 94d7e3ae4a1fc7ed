// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/functions.hpp"

namespace apriori::fn {

/// 1 / (1 + exp(-x)).
struct sigmoid {
    static constexpr const char* name = "sigmoid";
    static constexpr int flops = 3;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::exp;
        return lanes<V>::set(1.0f) / (lanes<V>::set(1.0f) + exp(-x));
    }
};

} // namespace apriori::fn
