// expect: device_operation<.*no_attention.*attention<
// SPDX-License-Identifier: Apache-2.0
// A device without one of the operations that the model needs; the error names both. With attention written out by a
// processor, the same device serves.
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
