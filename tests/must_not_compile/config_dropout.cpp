// expect: config_error<.*dropout.*1[.]5.*0.0.*to.*1.0
// SPDX-License-Identifier: Apache-2.0
// A real number out of range.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.dropout = 0.5f};
#else
constexpr apriori::PriorConfig config{.dropout = 1.5f};
#endif

static_assert(apriori::validate<config>());
