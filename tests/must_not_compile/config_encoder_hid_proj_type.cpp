// expect: config_error<.*encoder_hid_proj_type.*2.*null,.*linear
// SPDX-License-Identifier: Apache-2.0
// A number cast to one past the last hid_proj_type.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr auto value = static_cast<apriori::hid_proj_type>(1);
#else
constexpr auto value = static_cast<apriori::hid_proj_type>(2);
#endif
constexpr apriori::PriorConfig config{.encoder_hid_proj_type = value};

static_assert(apriori::validate<config>());
