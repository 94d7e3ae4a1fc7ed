// SPDX-License-Identifier: Apache-2.0
// How far computed numbers are from expected ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace apriori::program {

struct comparison {
    double error = 0;      ///< the largest |got - expected|; infinite if one is NaN
    std::size_t where = 0; ///< the index of that element
    double largest = 0;    ///< the largest |expected|
    double tolerance = 0;

    bool within() const noexcept { return error <= tolerance; }
};

/// Compares spans of equal size. The tolerance is `absolute`, times the largest |expected| if
/// `relative` and that is above 1.
inline comparison compare(std::span<const float> got, std::span<const float> expected, double absolute, bool relative) {
    comparison c;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        double error = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
        if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
        if (error > c.error) {
            c.error = error;
            c.where = i;
        }
        c.largest = std::max(c.largest, static_cast<double>(std::abs(expected[i])));
    }
    c.tolerance = absolute * (relative ? std::max(1.0, c.largest) : 1.0);
    return c;
}

} // namespace apriori::program
