// SPDX-License-Identifier: Apache-2.0
// The reference cases and the random inputs of odd models on Eigen's Tensor module, in one translation unit: Eigen's
// contraction takes long to compile, and all models share one.
#include "apriori/device/eigen/device.hpp"
#include "models_properties.hpp"
#include "reference_variants.hpp"

using namespace model_testing;

// Eigen splits a contraction depending on its size, so that different chunks round differently.
static const reference_tests<apriori::eigen, samplings::no, chunks::within_rounding> references;
static const property_tests<apriori::eigen> properties;

/// With two threads.
TEST(models_eigen, threads) {
    apriori::eigen device(2);
    check_variant<::unclip_like>(device, "unclip_like", chunks::within_rounding);
}
