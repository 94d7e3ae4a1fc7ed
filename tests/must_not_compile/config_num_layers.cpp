// expect: config_error<.*num_layers.*-3.*an.*integer.*from.*1.*to.*1048576
// SPDX-License-Identifier: Apache-2.0
// A model without layers.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.num_layers = 1};
#else
constexpr apriori::PriorConfig config{.num_layers = -3};
#endif

static_assert(apriori::validate<config>());
