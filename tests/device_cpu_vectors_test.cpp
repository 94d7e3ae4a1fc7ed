// SPDX-License-Identifier: Apache-2.0
// The CPU device with the compiler's vectors of four lanes, as in WebAssembly, compared with the oracle.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/vector_arch.hpp"

#include "device_conformance.hpp"

namespace conformance {

struct cpu_vectors_factory {
    cpu<vector_arch<4>> device;
};
APRIORI_TEST_DEVICE(cpu_vectors, cpu_vectors_factory);

} // namespace conformance
