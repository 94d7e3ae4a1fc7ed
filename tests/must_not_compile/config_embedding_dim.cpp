// expect: config_error<.*embedding_dim.*0.*an.*integer.*from.*1.*to.*1048576
// SPDX-License-Identifier: Apache-2.0
// A width of zero.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.embedding_dim = 1};
#else
constexpr apriori::PriorConfig config{.embedding_dim = 0};
#endif

static_assert(apriori::validate<config>());
