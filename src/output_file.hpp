// SPDX-License-Identifier: Apache-2.0
// Checks output paths before the long work begins: they must be writable, and must not be inputs.
#pragma once

#include "apriori/core/result.hpp"

#include <filesystem>
#include <vector>

namespace apriori::program {

/// A file that will be written, and the option that names it.
struct output_file {
    const char* option;
    std::filesystem::path path; ///< empty: not written
};

/// What a command may read of a pipeline's folder: the folders of its parts.
std::vector<std::filesystem::path> inputs_of(const std::filesystem::path& model);

/// An error if a file cannot be created at one of the paths, if two of them are the same file, or if
/// one of them is one of `inputs`, or is there already and of the model in a folder among them: a configuration, a
/// tokenizer or weights.
result<void> check_outputs(const std::vector<output_file>& outputs, const std::vector<std::filesystem::path>& inputs);

} // namespace apriori::program
