// SPDX-License-Identifier: Apache-2.0
// Finds the configuration of a model, in a pipeline's folder or a prior's.
#pragma once

#include "apriori/io/pipeline_folder.hpp"

namespace apriori::program {

using io::is_folder, io::is_there, io::pipeline_folder;

/// The config.json for `path`: the file itself, or that of the folder or of its prior/ (or prior_prior/).
inline result<std::filesystem::path> find_config(const std::filesystem::path& path) {
    if (!is_there(path)) return failure{errc::not_found, path.string() + ": no such file or folder"};
    if (!is_folder(path)) return path;
    for (const auto& file : {pipeline_folder{path}.prior() / "config.json", path / "config.json"})
        if (is_there(file)) return file;
    return failure{errc::not_found, path.string() + ": holds neither config.json nor prior/config.json"};
}

} // namespace apriori::program
