// SPDX-License-Identifier: Apache-2.0
// Elements of other types than float, on the devices that work in host memory.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/eigen/device.hpp"
#include "device_conformance_types.hpp"

namespace conformance {

struct vectors {
    cpu<> device;
};
struct scalars {
    cpu<scalar_arch> device;
};
struct reference {
    eigen device;
};
using factories = testing::Types<vectors, scalars, reference>;
INSTANTIATE_TYPED_TEST_SUITE_P(host, device_types, factories);

} // namespace conformance
