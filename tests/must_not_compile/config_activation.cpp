// expect: config_error<.*time_embed_act_fn.*9.*silu.*swish.*mish.*gelu.*relu
// SPDX-License-Identifier: Apache-2.0
// A number cast to an activation that does not exist.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr auto act = static_cast<apriori::activation>(2);
#else
constexpr auto act = static_cast<apriori::activation>(9);
#endif
constexpr apriori::PriorConfig config{.time_embed_act_fn = act};

static_assert(apriori::validate<config>());
