// SPDX-License-Identifier: Apache-2.0
// Files of image embeddings: those that the sampling commands write, with how they were made, and those that they read.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/result.hpp"
#include "commands.hpp"
#include "pipeline_parts.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apriori::program {

/// Keys and values of a file's metadata.
using run_settings = std::vector<std::pair<std::string, std::string>>;

/// Prompts for the metadata: ["a","b"].
std::string prompts_text(std::span<const std::string> prompts);

/// A hash of values or weights as 16 digits; the values' own.
std::string hash_text(std::uint64_t hash);
std::string hash_text(std::span<const float> values);

/// How a run samples these prompts: everything that its numbers depend on, and the program's version last.
run_settings settings_of(const pipeline_options& options, const pipeline_parts& parts,
                         std::span<const std::string> prompts);

/// image_embeds [rows, width], and negative_image_embeds if there are any.
struct made_embeddings {
    index_t width = 0;
    std::vector<float> image_embeds{}, negative_image_embeds{};

    index_t rows() const noexcept { return static_cast<index_t>(image_embeds.size()) / width; }
};

/// Writes them, whole or not at all: as safetensors with the settings, or only image_embeds if the name ends in .npy.
result<void> write_embeddings(const std::filesystem::path& path, const made_embeddings& made,
                              const run_settings& settings);

/// Image embeddings [rows, width] of a .npy file, or image_embeds of a safetensors file; a single row may lack its
/// axis. shape_mismatch, or invalid_argument for a value that is not a number.
result<std::vector<float>> read_embeddings(const std::filesystem::path& path, index_t width);

} // namespace apriori::program
