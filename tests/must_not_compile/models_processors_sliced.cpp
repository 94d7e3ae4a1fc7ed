// expect: sliced_attention: a slice has at least one head
// SPDX-License-Identifier: Apache-2.0
// Slices of nothing.
#include "apriori/device/cpu/device.hpp"
#include "apriori/models/prior_transformer.hpp"

using namespace apriori;

#ifdef CONTROL
using processors = every_layer<sliced_attention<1>>;
#else
using processors = every_layer<sliced_attention<0>>;
#endif

static_assert(PriorTransformer<presets::digits, cpu<>, f32, processors>::workspace_bytes({}) > 0);
