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

/// 0, and NaN where an element of the row is. Largest and smallest are sought by comparisons, which pass over a NaN.
template <class Row>
APRIORI_HD float nan_of(const Row& row) noexcept {
    const float s = row.sum(fn::between_0_and_1{});
    return s - s;
}

/// The largest element; NaN where one is.
struct max {
    static constexpr const char* name = "max";
    static constexpr int flops = 4;
    template <class Row>
    APRIORI_HD float reduce(const Row& row, index_t) const noexcept {
        return row.max(fn::identity{}) + nan_of(row);
    }
};

/// The smallest element; NaN where one is.
struct min {
    static constexpr const char* name = "min";
    static constexpr int flops = 4;
    template <class Row>
    APRIORI_HD float reduce(const Row& row, index_t) const noexcept {
        return nan_of(row) - row.max(fn::negated{});
    }
};

} // namespace apriori::norms
