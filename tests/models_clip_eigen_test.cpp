// SPDX-License-Identifier: Apache-2.0
// CLIP's encoders on Eigen's Tensor module.
#include "apriori/device/eigen/device.hpp"
#include "clip_cases.hpp"

// Eigen splits a contraction depending on its size, so that different chunks round differently.
static const clip_testing::reference_tests<apriori::eigen, clip_testing::chunks::within_rounding> references;
