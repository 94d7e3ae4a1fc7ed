// SPDX-License-Identifier: Apache-2.0
// The reference numbers of diffusers on the CPU, with one lane.
#include "apriori/device/cpu/device.hpp"
#include "reference_variants.hpp"

static const model_testing::reference_tests<apriori::cpu<apriori::scalar_arch>, model_testing::samplings::no> tests;
