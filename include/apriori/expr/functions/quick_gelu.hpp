// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/functions.hpp"

namespace apriori::fn {

/// x sigmoid(1.702 x): the approximation in OpenAI's CLIP (Hendrycks and Gimpel 2016, section 2).
struct quick_gelu {
    static constexpr const char* name = "quick_gelu";
    static constexpr int flops = 4;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::exp;
        return x / (lanes<V>::set(1.0f) + exp(x * lanes<V>::set(-1.702f)));
    }
};

} // namespace apriori::fn
