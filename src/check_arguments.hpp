// SPDX-License-Identifier: Apache-2.0
// The arguments of forward as a file holds them, checked against a configuration before a model sees them.
#pragma once

#include "any_prior.hpp"

namespace apriori::program {

/// Ranks, widths, finite timesteps, masks of 0 and 1. What depends on several arguments together the model checks.
result<void> check_arguments(const PriorConfig& config, const forward_arguments& arguments);

} // namespace apriori::program
