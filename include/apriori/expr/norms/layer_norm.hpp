// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/expr/norms/row_functions.hpp"

namespace apriori::norms {

/// (x - mean) / sqrt(variance + eps) over a row (Ba et al. 2016); variance without Bessel's correction, in two passes.
struct layer_norm {
    static constexpr const char* name = "layer_norm";
    static constexpr int flops = 7; ///< per element, both reductions included
    float eps = 1e-5f;

    struct stats {
        float mean, rstd;
    };
    template <class Row>
    APRIORI_HD stats reduce(const Row& row, index_t n) const noexcept {
        const float mean = row.sum(fn::identity{}) / static_cast<float>(n);
        const float variance = row.sum(fn::squared_from{mean}) / static_cast<float>(n);
        return {mean, 1.0f / std::sqrt(variance + eps)};
    }
    template <class V>
    APRIORI_HD static V apply(stats s, V x) noexcept {
        return (x - lanes<V>::set(s.mean)) * lanes<V>::set(s.rstd);
    }
};

} // namespace apriori::norms
