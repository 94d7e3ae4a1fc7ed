// SPDX-License-Identifier: Apache-2.0
// The reference numbers of diffusers on a GPU, samplings included; skipped, with the reason, if there is none.
#include "apriori/device/cuda/device.hpp"
#include "apriori/device/cuda/info.hpp"
#include "reference_variants.hpp"

static const model_testing::reference_tests<apriori::cuda<80>, model_testing::samplings::yes,
                                            model_testing::chunks::within_rounding>
    references(apriori::cuda_available(80).reason);
