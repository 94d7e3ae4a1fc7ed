// SPDX-License-Identifier: Apache-2.0
// CLIP's encoders on Eigen's Tensor module.
#include "apriori/device/eigen/device.hpp"
#include "clip_cases.hpp"

// Eigen blocks a contraction by its size, so that chunks are rounded in their own way.
static const clip_testing::reference_tests<apriori::eigen, clip_testing::chunks::within_rounding> references;
