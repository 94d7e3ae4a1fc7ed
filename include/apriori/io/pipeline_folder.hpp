// SPDX-License-Identifier: Apache-2.0
// What lies where in the folder of a pipeline, as diffusers saves it.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/io/text.hpp"

#include <filesystem>
#include <string>
#include <system_error>

namespace apriori::io {

inline bool is_folder(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_directory(path, error);
}
inline bool is_there(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::exists(path, error);
}

/// A pipeline's folder: prior/ and scheduler/, and perhaps tokenizer/, text_encoder/, image_encoder/ and decoder/. Where the
/// decoder has such parts, too, those of the prior have its name in front: prior_scheduler/. In the folder of a combined
/// pipeline, of Kandinsky's, all parts of the prior have: prior_prior/.
struct pipeline_folder {
    std::filesystem::path path;

    /// not_found where there is no such folder, or no prior or scheduler in it.
    static result<pipeline_folder> open(const std::filesystem::path& path) {
        if (!is_there(path)) return failure{errc::not_found, cat(path.string(), ": no such folder")};
        const pipeline_folder folder{path};
        for (const auto& part : {folder.prior(), folder.scheduler()})
            if (!is_folder(part))
                return failure{errc::not_found, cat(path.string(), ": holds no folder ", part.filename().string(),
                                                    "; a pipeline folder, as diffusers saves it, is needed")};
        return folder;
    }
    std::filesystem::path prior() const { return of_prior("prior"); }
    std::filesystem::path scheduler() const { return of_prior("scheduler"); }
    std::filesystem::path tokenizer() const { return of_prior("tokenizer"); }
    std::filesystem::path text_encoder() const { return of_prior("text_encoder"); }
    std::filesystem::path image_encoder() const { return of_prior("image_encoder"); }
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

} // namespace apriori::io
