// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/norms/row_functions.hpp"

namespace apriori::norms {

/// x / sqrt(mean(x^2) + eps) over a row (Zhang and Sennrich 2019).
struct rms_norm {
    static constexpr const char* name = "rms_norm";
    static constexpr int flops = 3; ///< per element, the reduction included
    float eps = 1e-5f;

    struct stats {
        float rstd;
    };
    template <class Row>
    APRIORI_HD stats reduce(const Row& row, index_t n) const noexcept {
        return {1.0f / std::sqrt(row.sum(fn::squared{}) / static_cast<float>(n) + eps)};
    }
    template <class V>
    APRIORI_HD static V apply(stats s, V x) noexcept {
        return x * lanes<V>::set(s.rstd);
    }
};

} // namespace apriori::norms
