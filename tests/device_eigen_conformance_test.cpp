// SPDX-License-Identifier: Apache-2.0
// The Eigen device, compared with the oracle.
#include "apriori/device/eigen/device.hpp"

#include "device_conformance.hpp"

namespace conformance {

struct eigen_factory {
    eigen device;
};
APRIORI_TEST_DEVICE(eigen, eigen_factory);

} // namespace conformance
