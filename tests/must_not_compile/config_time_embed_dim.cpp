// expect: config_error<.*time_embed_dim.*-1.*null.*or.*an.*integer.*from.*1.*to.*1048576
// SPDX-License-Identifier: Apache-2.0
// A null dimension is written null_dim; a negative one is a mistake.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.time_embed_dim = apriori::null_dim};
#else
constexpr apriori::PriorConfig config{.time_embed_dim = -1};
#endif

static_assert(apriori::validate<config>());
