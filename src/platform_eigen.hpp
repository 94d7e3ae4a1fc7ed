// SPDX-License-Identifier: Apache-2.0
// The device eigen on its own threads.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/device/eigen/device.hpp"

#include <memory>

namespace apriori::program {

class eigen_platform {
public:
    using device_type = eigen;

    static result<std::unique_ptr<eigen_platform>> open(int threads) {
        return std::unique_ptr<eigen_platform>(new eigen_platform(threads));
    }
    device_type& device() noexcept { return device_; }

private:
    explicit eigen_platform(int threads) : device_(threads) {}

    device_type device_;
};

} // namespace apriori::program
