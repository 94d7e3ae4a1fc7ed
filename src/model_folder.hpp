// SPDX-License-Identifier: Apache-2.0
// What lies where in a folder: a pipeline as diffusers saves it, or a prior alone.
#pragma once

#include "apriori/core/result.hpp"

#include <filesystem>
#include <string>

namespace apriori::program {

inline bool is_folder(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_directory(path, error);
}
inline bool is_there(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::exists(path, error);
}

/// A pipeline folder: prior/ and scheduler/, and perhaps tokenizer/, text_encoder/, image_encoder/ and decoder/. Where the
/// decoder has such parts, too, those of the prior have its name in front, as diffusers writes them: prior_scheduler/.
struct pipeline_folder {
    std::filesystem::path path;

    static result<pipeline_folder> open(const std::filesystem::path& path) {
        if (!is_there(path)) return failure{errc::not_found, path.string() + ": no such folder"};
        const pipeline_folder folder{path};
        for (const auto& part : {folder.prior(), folder.scheduler()})
            if (!is_folder(part))
                return failure{errc::not_found, path.string() + ": holds no folder " + part.filename().string() +
                                                    "; a pipeline folder, as diffusers saves it, is needed"};
        return folder;
    }
    std::filesystem::path prior() const { return path / "prior"; }
    std::filesystem::path scheduler() const { return of_prior("scheduler"); }
    std::filesystem::path tokenizer() const { return of_prior("tokenizer"); }
    std::filesystem::path text_encoder() const { return of_prior("text_encoder"); }
    std::filesystem::path image_encoder() const { return path / "image_encoder"; }
    std::filesystem::path decoder() const { return path / "decoder"; }
    /// The folder's own name, wherever it lies.
    std::string name() const {
        std::error_code error;
        const auto whole = std::filesystem::weakly_canonical(path, error);
        return (error || !whole.has_filename() ? path : whole).filename().string();
    }

private:
    std::filesystem::path of_prior(const std::string& part) const {
        const auto own = path / ("prior_" + part);
        return is_folder(own) ? own : path / part;
    }
};

/// The config.json that `path` means: the file itself, or that of the folder or of its prior/.
inline result<std::filesystem::path> find_config(const std::filesystem::path& path) {
    if (!is_there(path)) return failure{errc::not_found, path.string() + ": no such file or folder"};
    if (!is_folder(path)) return path;
    for (const auto& file : {path / "prior" / "config.json", path / "config.json"})
        if (is_there(file)) return file;
    return failure{errc::not_found, path.string() + ": holds neither config.json nor prior/config.json"};
}

} // namespace apriori::program
