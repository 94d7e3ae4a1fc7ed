// SPDX-License-Identifier: Apache-2.0
// scripts/gpu runs the tests of the CUDA device twice, the second time with APRIORI_CUDA_DEPENDENT_LAUNCHES, which the
// program reads too.
#pragma once

#include <cstdlib>

namespace model_testing {

template <class Device>
void choose_launches([[maybe_unused]] Device& device) {
    if constexpr (requires { device.dependent_launches(true); })
        device.dependent_launches(std::getenv("APRIORI_CUDA_DEPENDENT_LAUNCHES") != nullptr);
}

} // namespace model_testing
