// SPDX-License-Identifier: Apache-2.0
// The numbers of diffusers on the CPU, one number at a time.
#include "apriori/device/cpu/device.hpp"
#include "reference_variants.hpp"

static const model_testing::reference_tests<apriori::cpu<apriori::scalar_arch>, model_testing::samplings::no> tests;
