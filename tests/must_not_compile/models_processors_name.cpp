// expect: an attention processor is named transformer_blocks.<layer>.attn1.processor
// SPDX-License-Identifier: Apache-2.0
// A name that is no layer's.
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
                           attn_processor<"transformer_blocks.three.attn1.processor", plain_attention>>;
#endif

static_assert(sizeof(PriorTransformer<presets::digits, cpu<>, f32, processors>) > 0);
