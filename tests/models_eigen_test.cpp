// SPDX-License-Identifier: Apache-2.0
// The reference cases and the random inputs of odd models on Eigen's Tensor module. One translation unit: Eigen's
// contraction takes long to compile, and all models share one.
#include "apriori/device/eigen/device.hpp"
#include "models_properties.hpp"
#include "reference_variants.hpp"

using namespace model_testing;

// Eigen blocks a contraction by its size, so that chunks are rounded in their own way.
static const reference_tests<apriori::eigen, samplings::no, chunks::within_rounding> references;
static const property_tests<apriori::eigen> properties;

/// On threads as on one.
TEST(models_eigen, threads) {
    apriori::eigen device(2);
    check_variant<::unclip_like>(device, "unclip_like", chunks::within_rounding);
}
