// SPDX-License-Identifier: Apache-2.0
// The CPU device against the oracle, with the vector instructions that this file is compiled for.
#include "apriori/device/cpu/device.hpp"

#include "device_conformance.hpp"

namespace conformance {

struct cpu_factory {
    cpu<> device;
};
APRIORI_TEST_DEVICE(cpu, cpu_factory);

} // namespace conformance
