// SPDX-License-Identifier: Apache-2.0
// The device cpu on the program's threads.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/device/cpu/ceilings.hpp"
#include "apriori/device/cpu/device.hpp"
#include "threads.hpp"

#include <memory>

namespace apriori::program {

class cpu_platform {
public:
    using device_type = cpu<default_arch, threads>;
    static constexpr bool calibrates = true; ///< see prior_instance

    static result<std::unique_ptr<cpu_platform>> open(int count) {
        return std::unique_ptr<cpu_platform>(new cpu_platform(count));
    }
    device_type& device() noexcept { return device_; }
    ceiling_meter<default_arch, threads>& meter() noexcept { return meter_; }

private:
    explicit cpu_platform(int count) : threads_(count), device_(threads_), meter_(threads_) {}

    threads threads_;
    device_type device_;
    ceiling_meter<default_arch, threads> meter_;
};

} // namespace apriori::program
