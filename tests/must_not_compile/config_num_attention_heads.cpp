// expect: config_error<.*num_attention_heads.*0.*an.*integer.*from.*1.*to.*1048576
// SPDX-License-Identifier: Apache-2.0
// The error names the field, its value and the allowed values.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.num_attention_heads = 1};
#else
constexpr apriori::PriorConfig config{.num_attention_heads = 0};
#endif

static_assert(apriori::validate<config>());
