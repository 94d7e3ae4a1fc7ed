// expect: config_error<.*norm_in_type.*3.*null,.*layer.*rms
// SPDX-License-Identifier: Apache-2.0
// A number cast to one past the last norm_type.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr auto value = static_cast<apriori::norm_type>(2);
#else
constexpr auto value = static_cast<apriori::norm_type>(3);
#endif
constexpr apriori::PriorConfig config{.norm_in_type = value};

static_assert(apriori::validate<config>());
