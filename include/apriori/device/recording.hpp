// SPDX-License-Identifier: Apache-2.0
// A device that runs on another one and writes down every launch: what was done can be compared with what was planned.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/around.hpp"

#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

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
