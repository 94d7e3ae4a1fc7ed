// expect: config_error<.*num_layers.*0.*an.*integer.*from.*1.*to.*1048576
// SPDX-License-Identifier: Apache-2.0
// A model with a bad configuration reports the error itself.
#include "apriori/device/cpu/device.hpp"
#include "apriori/models/prior_transformer.hpp"

#ifdef CONTROL
using model = apriori::PriorTransformer<apriori::PriorConfig{.num_layers = 1}, apriori::cpu<>>;
#else
using model = apriori::PriorTransformer<apriori::PriorConfig{.num_layers = 0}, apriori::cpu<>>;
#endif

static_assert(sizeof(model) > 0);
