// SPDX-License-Identifier: Apache-2.0
// Output paths are checked before the long work begins: that they can be written, and that they are no input.
#pragma once

#include "apriori/core/result.hpp"

#include <filesystem>
#include <vector>

namespace apriori::program {

/// A file that will be written, and the option that names it.
struct output_file {
    const char* option;
    std::filesystem::path path; ///< empty: none is wanted
};

/// Fails where a file cannot be made at one of the paths, where two of them are the same file, or where one of them is
/// one of `inputs`.
result<void> check_outputs(const std::vector<output_file>& outputs, const std::vector<std::filesystem::path>& inputs);

} // namespace apriori::program
