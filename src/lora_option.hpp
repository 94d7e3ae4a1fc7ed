// SPDX-License-Identifier: Apache-2.0
// --lora FILE[:WEIGHT]: LoRAs that are merged into a model's weights when they are packed.
#pragma once

#include "apriori/io/lora_source.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace apriori::program {

/// A LoRA as it was asked for.
struct lora_option {
    std::filesystem::path file;
    double weight = 1;
};

/// Reads FILE or FILE:WEIGHT. A file of the whole name comes first; otherwise a number behind the last colon is the weight, so that
/// paths may hold colons. invalid_argument where that is infinite or NaN, or nothing stands before it.
result<lora_option> parse_lora_option(const std::string& text);

/// Opens the LoRAs of an option that is given several times. `packed`, if it is not empty, is the packed file that was asked
/// for too, into which nothing can be merged.
result<std::vector<io::weighted_lora>> open_loras(const std::vector<std::string>& texts,
                                                  const std::filesystem::path& packed = {});

/// LoRAs for a file's metadata: [{"file":"bold.safetensors","weight":0.5}], without their folders.
std::string describe(const std::vector<io::weighted_lora>& loras);

} // namespace apriori::program
