// SPDX-License-Identifier: Apache-2.0
// The CPU device against the oracle, one lane wide.
#include "apriori/device/cpu/device.hpp"

#include "device_conformance.hpp"

namespace conformance {

struct cpu_scalar_factory {
    cpu<scalar_arch> device;
};
APRIORI_TEST_DEVICE(cpu_scalar, cpu_scalar_factory);

} // namespace conformance
