// SPDX-License-Identifier: Apache-2.0
// The CPU device with one lane, compared with the oracle.
#include "apriori/device/cpu/device.hpp"

#include "device_conformance.hpp"

namespace conformance {

struct cpu_scalar_factory {
    cpu<scalar_arch> device;
};
APRIORI_TEST_DEVICE(cpu_scalar, cpu_scalar_factory);

} // namespace conformance
