// SPDX-License-Identifier: Apache-2.0
// pack --calibrate: weights of four bits that are rounded for what a model is given when it samples prompts.
#pragma once

#include "any_source.hpp"
#include "apriori/core/result.hpp"
#include "apriori/models/nibble_source.hpp"
#include "commands.hpp"

#include <functional>

namespace apriori::program {

/// Reads and checks the prompts or conditions, and what sampling needs beside the weights. What it returns samples them with weights in
/// float32, and rounds these; it shows how far it is.
result<std::function<result<nibble_source>(const any_source&)>> open_calibration(const pack_options& options);

} // namespace apriori::program
