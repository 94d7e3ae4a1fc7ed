// expect: config_field<.*num_layers.*-3.*1 or more
// SPDX-License-Identifier: Apache-2.0
// A model without layers.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.num_layers = 1};
#else
constexpr apriori::PriorConfig config{.num_layers = -3};
#endif

static_assert(apriori::validate<config>());
