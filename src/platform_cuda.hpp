// SPDX-License-Identifier: Apache-2.0
// The device cuda, if a GPU is available.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/device/cuda/device.hpp"
#include "apriori/device/cuda/info.hpp"

#include <memory>

namespace apriori::program {

class cuda_platform {
    static constexpr int sm = APRIORI_PROGRAM_SM; ///< the lowest compute capability of this build

public:
    using device_type = cuda<sm>;

    static result<std::unique_ptr<cuda_platform>> open(int /*threads*/) {
        if (const cuda_availability there = cuda_available(sm); !there)
            return failure{errc::device_error, there.reason + "; --device cpu needs none"};
        return std::make_unique<cuda_platform>();
    }
    device_type& device() noexcept { return device_; }

private:
    device_type device_;
};

} // namespace apriori::program
