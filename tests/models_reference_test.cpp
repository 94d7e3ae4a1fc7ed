// SPDX-License-Identifier: Apache-2.0
// The reference numbers of diffusers on the CPU, with the vectors of this build.
#include "apriori/device/cpu/device.hpp"
#include "reference_variants.hpp"

static const model_testing::reference_tests<apriori::cpu<>, model_testing::samplings::yes> tests;
