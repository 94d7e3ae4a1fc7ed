// expect: token_rows<64>.*extents<(-1|apriori::dyn), 63>|extents<(-1|apriori::dyn), 63>.*token_rows<64>
// SPDX-License-Identifier: Apache-2.0
// Latents of another width than the model's; the error shows both.
#include "apriori/models/prior_input.hpp"

#ifdef CONTROL
using latents = apriori::extents<apriori::dyn, 64>;
#else
using latents = apriori::extents<apriori::dyn, 63>;
#endif

void f(apriori::PriorTransformerInput<apriori::canonical(apriori::presets::digits)>& in,
       apriori::view<const float, latents> x) {
    in.hidden_states = x;
}
