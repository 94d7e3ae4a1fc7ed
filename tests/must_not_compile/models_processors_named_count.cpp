// expect: attention_processor_count<4, 5
// SPDX-License-Identifier: Apache-2.0
// Five names for four layers.
#include "apriori/device/cpu/device.hpp"
#include "apriori/models/prior_transformer.hpp"

using namespace apriori;

#ifdef CONTROL
using processors = by_name<attn_processor<"transformer_blocks.0.attn1.processor", plain_attention>,
                           attn_processor<"transformer_blocks.1.attn1.processor", plain_attention>,
                           attn_processor<"transformer_blocks.2.attn1.processor", plain_attention>,
                           attn_processor<"transformer_blocks.3.attn1.processor", plain_attention>>;
#else
using processors = by_name<attn_processor<"transformer_blocks.0.attn1.processor", plain_attention>,
                           attn_processor<"transformer_blocks.1.attn1.processor", plain_attention>,
                           attn_processor<"transformer_blocks.2.attn1.processor", plain_attention>,
                           attn_processor<"transformer_blocks.3.attn1.processor", plain_attention>,
                           attn_processor<"transformer_blocks.4.attn1.processor", plain_attention>>;
#endif

static_assert(sizeof(PriorTransformer<presets::digits, cpu<>, f32, processors>) > 0);
