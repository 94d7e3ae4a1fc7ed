// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/functions.hpp"

namespace apriori::fn {

/// x tanh(softplus(x)) (Misra 2019). With e = exp(x) and n = e (e + 2), tanh(log(1 + e)) = n / (n + 2); past x = 20
/// that is 1 in float32, and the clamp keeps n finite.
struct mish {
    static constexpr const char* name = "mish";
    static constexpr int flops = 7;
    template <class V>
    APRIORI_HD V operator()(V x) const noexcept {
        using std::exp;
        const V e = exp(fmin(lanes<V>::set(20.0f), x));
        const V n = e * (e + lanes<V>::set(2.0f));
        return x * (n / (n + lanes<V>::set(2.0f)));
    }
};

} // namespace apriori::fn
