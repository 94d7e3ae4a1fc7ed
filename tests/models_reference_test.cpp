// SPDX-License-Identifier: Apache-2.0
// The numbers of diffusers on the CPU, with the vectors that this build has.
#include "apriori/device/cpu/device.hpp"
#include "reference_variants.hpp"

static const model_testing::reference_tests<apriori::cpu<>, model_testing::samplings::yes> tests;
