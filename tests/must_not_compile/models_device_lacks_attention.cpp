// expect: device_operation<.*no_attention.*attention<
// SPDX-License-Identifier: Apache-2.0
// A device that lacks one of the model's operations; the error names both. With a processor that writes attention out,
// the same device works.
#include "apriori/device/cpu/device.hpp"
#include "apriori/models/prior_transformer.hpp"

using namespace apriori;

struct no_attention : cpu<> {
    using cpu<>::run;
    template <class Epilogue>
    status run(const ops::attention<Epilogue>&) = delete;
};

#ifdef CONTROL
using processor = plain_attention;
#else
using processor = fused_attention;
#endif

static_assert(PriorTransformer<presets::digits, no_attention, f32, every_layer<processor>>::workspace_bytes({}) > 0);
