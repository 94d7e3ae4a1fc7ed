// expect: config_error<.*added_emb_type.*2.*null,.*prd
// SPDX-License-Identifier: Apache-2.0
// A number cast to one past the last added_emb.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr auto value = static_cast<apriori::added_emb>(1);
#else
constexpr auto value = static_cast<apriori::added_emb>(2);
#endif
constexpr apriori::PriorConfig config{.added_emb_type = value};

static_assert(apriori::validate<config>());
