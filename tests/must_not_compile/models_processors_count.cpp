// expect: attention_processor_count<4, 3
// SPDX-License-Identifier: Apache-2.0
// Three processors for four layers; the error shows both numbers.
#include "apriori/device/cpu/device.hpp"
#include "apriori/models/prior_transformer.hpp"

using namespace apriori;

#ifdef CONTROL
using processors = per_layer<fused_attention, plain_attention, fused_attention, fused_attention>;
#else
using processors = per_layer<fused_attention, plain_attention, fused_attention>;
#endif

static_assert(sizeof(PriorTransformer<presets::digits, cpu<>, f32, processors>) > 0);
