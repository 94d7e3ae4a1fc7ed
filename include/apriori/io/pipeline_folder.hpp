// SPDX-License-Identifier: Apache-2.0
// The parts of a pipeline's folder, as diffusers saves it.
#pragma once

#include "apriori/core/json_reader.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/io/mapped_file.hpp"
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

/// A pipeline's folder: prior/ and scheduler/, and perhaps tokenizer/, text_encoder/, image_encoder/ and decoder/. If
/// the decoder has such parts, too, those of the prior have the prefix prior_, as in prior_scheduler/. In the folder of
/// a combined pipeline of Kandinsky's all parts of the prior have it, as in prior_prior/.
struct pipeline_folder {
    std::filesystem::path path;

    /// not_found if there is no such folder, or no prior or scheduler in it.
    static result<pipeline_folder> open(const std::filesystem::path& path);
    std::filesystem::path prior() const { return of_prior("prior"); }
    std::filesystem::path scheduler() const { return of_prior("scheduler"); }
    std::filesystem::path tokenizer() const { return of_prior("tokenizer"); }
    std::filesystem::path text_encoder() const { return of_prior("text_encoder"); }
    std::filesystem::path image_encoder() const { return of_prior("image_encoder"); }
    std::filesystem::path decoder() const { return path / "decoder"; }
    /// diffusers' class that model_index.json names; empty if it names none.
    std::string class_name() const {
        const auto index = mapped_file::open(path / "model_index.json");
        const json_token name = index ? json_member(index->text(), "_class_name") : json_token();
        return name.is(json_kind::string) ? std::string(name.text.substr(1, name.text.size() - 2)) : std::string();
    }
    /// Whether it is one of Kandinsky 2.1's, whose interpolate adds up all samples of a text.
    bool is_kandinsky_2_1() const {
        const std::string name = class_name();
        return name.starts_with("Kandinsky") && !name.starts_with("KandinskyV22") && !name.starts_with("Kandinsky3");
    }
    /// The folder's name, without the path to it.
    std::string name() const {
        std::error_code error;
        const auto whole = std::filesystem::weakly_canonical(path, error);
        return (error || !whole.has_filename() ? path : whole).filename().string();
    }

private:
    std::filesystem::path of_prior(const std::string& part) const;
};

#if APRIORI_DEFINITIONS

APRIORI_FUNCTION result<pipeline_folder> pipeline_folder::open(const std::filesystem::path& path) {
    if (!is_there(path)) return failure{errc::not_found, cat(path.string(), ": no such folder")};
    const pipeline_folder folder{path};
    for (const auto& part : {folder.prior(), folder.scheduler()})
        if (!is_folder(part))
            return failure{errc::not_found, cat(path.string(), ": holds no folder ", part.filename().string(),
                                                "; a pipeline folder, as diffusers saves it, is needed")};
    return folder;
}
APRIORI_FUNCTION std::filesystem::path pipeline_folder::of_prior(const std::string& part) const {
    const auto own = path / ("prior_" + part);
    return is_folder(own) ? own : path / part;
}

#endif

} // namespace apriori::io
