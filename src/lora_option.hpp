// SPDX-License-Identifier: Apache-2.0
// --lora FILE[:WEIGHT]: LoRAs that are merged into a model's weights when they are packed.
#pragma once

#include "apriori/io/lora_source.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace apriori::program {

/// A LoRA from the command line.
struct lora_option {
    std::filesystem::path file;
    double weight = 1;
};

/// Reads FILE or FILE:WEIGHT. If a file of the whole name exists, it is that; otherwise a number after the last colon
/// is the weight, so that paths may have colons. invalid_argument if it is infinite or NaN, or nothing precedes it.
result<lora_option> parse_lora_option(const std::string& text);

/// Opens the LoRAs of an option that may be repeated. If `packed`, a packed file, is not empty, LoRAs are an error,
/// since nothing can be merged into it.
result<std::vector<io::weighted_lora>> open_loras(const std::vector<std::string>& texts,
                                                  const std::filesystem::path& packed = {});

/// LoRAs for a file's metadata: [{"file":"bold.safetensors","weight":0.5}], without their folders.
std::string describe(const std::vector<io::weighted_lora>& loras);

} // namespace apriori::program
