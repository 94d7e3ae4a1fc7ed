// SPDX-License-Identifier: Apache-2.0
// Random inputs of odd models on the CPU, one number at a time.
#include "apriori/device/cpu/device.hpp"
#include "models_properties.hpp"

static const model_testing::property_tests<apriori::cpu<apriori::scalar_arch>> tests;
