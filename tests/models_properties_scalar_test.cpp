// SPDX-License-Identifier: Apache-2.0
// Random inputs of odd models on the CPU, with one lane.
#include "apriori/device/cpu/device.hpp"
#include "models_properties.hpp"

static const model_testing::property_tests<apriori::cpu<apriori::scalar_arch>> tests;
