// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/functions.hpp"

namespace apriori::fn {

/// max(x, 0), and NaN for NaN.
struct relu {
    static constexpr const char* name = "relu";
    static constexpr int flops = 1;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        return fmax(lanes<V>::set(0.0f), x);
    }
};

} // namespace apriori::fn
