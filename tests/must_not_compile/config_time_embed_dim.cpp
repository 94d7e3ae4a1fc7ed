// expect: config_field<.*time_embed_dim.*-1.*none or 1 or more
// SPDX-License-Identifier: Apache-2.0
// A null dimension is written none; a negative one is a mistake.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.time_embed_dim = apriori::none};
#else
constexpr apriori::PriorConfig config{.time_embed_dim = -1};
#endif

static_assert(apriori::validate<config>());
