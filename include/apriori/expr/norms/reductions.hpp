// SPDX-License-Identifier: Apache-2.0
// Reductions of a row to one number, in the form of the norms: `reduce` gives it.
#pragma once

#include "apriori/expr/norms/row_functions.hpp"

namespace apriori::norms {

struct sum {
    static constexpr const char* name = "sum";
    static constexpr int flops = 1;
    template <class Row>
    APRIORI_HD float reduce(const Row& row, index_t) const noexcept {
        return row.sum(fn::identity{});
    }
};

struct mean {
    static constexpr const char* name = "mean";
    static constexpr int flops = 1;
    template <class Row>
    APRIORI_HD float reduce(const Row& row, index_t n) const noexcept {
        return row.sum(fn::identity{}) / static_cast<float>(n);
    }
};

struct max {
    static constexpr const char* name = "max";
    static constexpr int flops = 1;
    template <class Row>
    APRIORI_HD float reduce(const Row& row, index_t) const noexcept {
        return row.max(fn::identity{});
    }
};

struct min {
    static constexpr const char* name = "min";
    static constexpr int flops = 1;
    template <class Row>
    APRIORI_HD float reduce(const Row& row, index_t) const noexcept {
        return -row.max(fn::negated{});
    }
};

} // namespace apriori::norms
