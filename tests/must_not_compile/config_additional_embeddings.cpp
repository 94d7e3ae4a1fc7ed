// expect: config_error<.*additional_embeddings.*-1.*an.*integer.*from.*0.*to.*1048576
// SPDX-License-Identifier: Apache-2.0
// None is a number of tokens, less than none is not.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.additional_embeddings = 0};
#else
constexpr apriori::PriorConfig config{.additional_embeddings = -1};
#endif

static_assert(apriori::validate<config>());
