// SPDX-License-Identifier: Apache-2.0
// CLIP's encoders on a GPU; skipped, with the reason, if there is none.
#include "apriori/device/cuda/device.hpp"
#include "apriori/device/cuda/info.hpp"
#include "clip_cases.hpp"

static const clip_testing::reference_tests<apriori::cuda<80>, clip_testing::chunks::within_rounding>
    references(apriori::cuda_available(80).reason);
