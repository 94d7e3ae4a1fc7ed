// expect: apriori: Eigen computes with less accuracy under -ffast-math
// flags: -ffast-math
// SPDX-License-Identifier: Apache-2.0
#include "apriori/device/eigen/device.hpp"
