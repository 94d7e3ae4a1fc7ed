// expect: config_error<.*additional_embeddings.*-1.*an.*integer.*from.*0.*to.*1048576
// SPDX-License-Identifier: Apache-2.0
// Zero tokens are allowed, a negative number is not.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.additional_embeddings = 0};
#else
constexpr apriori::PriorConfig config{.additional_embeddings = -1};
#endif

static_assert(apriori::validate<config>());
