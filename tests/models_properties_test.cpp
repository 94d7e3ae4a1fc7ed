// SPDX-License-Identifier: Apache-2.0
// Random inputs of odd models on the CPU.
#include "apriori/device/cpu/device.hpp"
#include "models_properties.hpp"

static const model_testing::property_tests<apriori::cpu<>> tests;
