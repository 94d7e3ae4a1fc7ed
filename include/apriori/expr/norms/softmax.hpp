// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/norms/row_functions.hpp"

namespace apriori::norms {

/// exp(x - max) / sum exp(x - max) over a row.
struct softmax {
    static constexpr const char* name = "softmax";
    static constexpr int flops = 6; ///< per element, both reductions included

    struct stats {
        float max, inverse_sum;
    };
    template <class Row>
    APRIORI_HD stats reduce(const Row& row, index_t) const noexcept {
        const float max = row.max(fn::identity{});
        return {max, 1.0f / row.sum(fn::exp_from{max})};
    }
    template <class V>
    APRIORI_HD static V apply(stats s, V x) noexcept {
        return fn::exp_from{s.max}(x)*lanes<V>::set(s.inverse_sum);
    }
};

} // namespace apriori::norms
