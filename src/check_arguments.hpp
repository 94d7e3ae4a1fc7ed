// SPDX-License-Identifier: Apache-2.0
// Checks the arguments of forward from a file against a configuration, before a model gets them.
#pragma once

#include "any_prior.hpp"

namespace apriori::program {

/// Checks ranks, widths, that timesteps are finite and masks 0 or 1. The model checks what
/// depends on several arguments.
result<void> check_arguments(const PriorConfig& config, const forward_arguments& arguments);

} // namespace apriori::program
