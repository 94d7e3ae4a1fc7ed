// SPDX-License-Identifier: Apache-2.0
// pack --calibrate: weights of four bits, rounded for the inputs that a model gets when it samples prompts.
#pragma once

#include "any_source.hpp"
#include "apriori/core/result.hpp"
#include "apriori/models/nibble_source.hpp"
#include "commands.hpp"

#include <functional>

namespace apriori::program {

/// Reads and checks the prompts or conditions, and what else sampling needs besides the weights. The returned function
/// samples them with weights in float32, and rounds these; it shows its progress.
result<std::function<result<nibble_source>(const any_source&)>> open_calibration(const pack_options& options);

} // namespace apriori::program
