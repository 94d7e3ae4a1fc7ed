// SPDX-License-Identifier: Apache-2.0
// The CPU device, with the vector instructions that this file is compiled for, compared with the oracle.
#include "apriori/device/cpu/device.hpp"

#include "device_conformance.hpp"

namespace conformance {

struct cpu_factory {
    cpu<> device;
};
APRIORI_TEST_DEVICE(cpu, cpu_factory);

} // namespace conformance
