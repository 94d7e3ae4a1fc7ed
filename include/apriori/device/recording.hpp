// SPDX-License-Identifier: Apache-2.0
// A device that runs on another one and records every launch, to compare launches with those planned.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/around.hpp"

#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Runs on `Inner`, which must outlive it. `launches` has all launches so far, in order.
template <device Inner>
class recording : public device_around<Inner> {
public:
    explicit recording(Inner& inner) : device_around<Inner>(inner) {}

    template <class Op>
    requires runs<Inner, Op>
    status run(const Op& op) {
        launches.push_back(op.describe());
        return run_on(*this->inner_, op);
    }

    std::vector<launch> launches;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
