// SPDX-License-Identifier: Apache-2.0
// Weights from files: a safetensors file, or a folder as diffusers saves it, sharded or not. Memory-mapped.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/warning.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/io/safetensors_view.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// A safetensors file. Move-only; names and bytes stay valid when it is moved.
class safetensors_source : public safetensors_view {
public:
    static result<safetensors_source> open(const std::filesystem::path& path) {
        auto file = mapped_file::open(path);
        if (!file.ok()) return file.error();
        auto view = safetensors_view::parse(file->bytes(), path.string());
        if (!view.ok()) return explained_weights(view.error(), path, file->bytes());
        return safetensors_source(std::move(*file), std::move(*view));
    }

    /// As safetensors_view's. After large reads the pages are released, so that reading weights once keeps
    /// only a chunk of them in memory.
    status read(std::size_t i, std::int64_t first, std::span<float> out) const noexcept {
        const status s = safetensors_view::read(i, first, out);
        if (out.size_bytes() >= std::size_t{1} << 20) file_.forget_pages();
        return s;
    }

private:
    safetensors_source(mapped_file file, safetensors_view view)
        : safetensors_view(std::move(view)), file_(std::move(file)) {}

    mapped_file file_;
};

/// The tensors of one or several safetensors files. Move-only. A tensor_source.
class weights_source {
public:
    /// The tensors of one file.
    static result<weights_source> open_file(const std::filesystem::path& path) {
        auto file = safetensors_source::open(path);
        if (!file.ok()) return file.error();
        weights_source w;
        w.add(path, std::move(*file));
        w.sort();
        return w;
    }

    /// The shards that `path`, a .safetensors.index.json, names. bad_format unless its
    /// weight_map matches the shards' tensors.
    static result<weights_source> open_index(const std::filesystem::path& path) {
        const auto bad = [&](const std::string& what) {
            return failure{errc::bad_format, cat(path.string(), ": ", what)};
        };
        const auto text = mapped_file::open(path);
        if (!text.ok()) return text.error();
        const auto parsed = parse_json(text->text(), path.string());
        if (!parsed.ok()) return explained(parsed.error(), path, text->bytes());
        const json map = (*parsed)["weight_map"];
        if (!map) return bad("has no weight_map");
        const auto entries = map.items();
        if (!map.is(json_kind::object) || entries.empty())
            return bad(cat("weight_map is ", shown(map), "; it must be an object that maps tensors to files"));

        std::map<std::string, std::vector<std::string_view>> shards; // each with its tensors, sorted by name
        for (const auto& [name, value] : entries) {
            if (!value.is(json_kind::string))
                return bad(cat("weight_map ", quote(name), " is ", shown(value), ", not a file name"));
            const std::string file = value.string();
            if (!plain_file_name(file))
                return bad(cat("weight_map ", quote(name), " names ", quote(file),
                               "; allowed: a .safetensors file next to the index, without a path"));
            shards[file].push_back(name);
        }
        weights_source w;
        for (const auto& [file, names] : shards) {
            const auto shard_path = path.parent_path() / file;
            auto shard = safetensors_source::open(shard_path);
            if (!shard.ok())
                return failure{shard.error().code,
                               cat(shard.error().message, " (a shard of ", path.filename().string(), ")")};
            for (const auto name : names)
                if (!shard->find(name))
                    return bad(cat("weight_map says that ", file, " holds ", quote(name), ", but it does not"));
            for (std::size_t i = 0; i < shard->size(); ++i) {
                const auto name = shard->info(i).name;
                if (!std::binary_search(names.begin(), names.end(), name))
                    return bad(cat(file, " holds ", quote(name), ", which weight_map does not place there"));
            }
            w.add(shard_path, std::move(*shard));
        }
        w.sort();
        return w;
    }

    static constexpr bool concurrent_reads() noexcept { return true; }
    std::size_t size() const noexcept { return places_.size(); }
    tensor_info info(std::size_t i) const noexcept { return shard(i).info(places_[i].local); }

    /// Reads elements first .. first + out.size() of tensor i as float32.
    status read(std::size_t i, std::int64_t first, std::span<float> out) const noexcept {
        if (i >= size())
            return status::invalid("the weights have no tensor of this index", static_cast<std::int64_t>(i),
                                   static_cast<std::int64_t>(size()));
        return shard(i).read(places_[i].local, first, out);
    }

    /// The index of the tensor called `name`; nullopt if there is none.
    std::optional<std::size_t> find(std::string_view name) const noexcept {
        const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                         [&](std::size_t i, std::string_view n) { return info(i).name < n; });
        if (at == by_name_.end() || info(*at).name != name) return std::nullopt;
        return *at;
    }

    /// The stored type of tensor i.
    element_type dtype(std::size_t i) const noexcept { return shard(i).dtype(places_[i].local); }

    /// The files, in the order of their tensors.
    const std::vector<std::filesystem::path>& files() const noexcept { return files_; }

private:
    struct place {
        std::size_t shard;
        std::size_t local;
    };

    static bool plain_file_name(std::string_view name) {
        return name.size() <= 255 && name.ends_with(".safetensors") && name.front() != '.' &&
               name.find_first_of("/\\") == std::string_view::npos && name.find("..") == std::string_view::npos &&
               !has_control(name);
    }

    const safetensors_source& shard(std::size_t i) const noexcept { return shards_[places_[i].shard]; }

    void add(const std::filesystem::path& path, safetensors_source source) {
        for (std::size_t i = 0; i < source.size(); ++i) places_.push_back({shards_.size(), i});
        shards_.push_back(std::move(source));
        files_.push_back(path);
    }
    void sort() {
        by_name_.resize(places_.size());
        for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
        std::sort(by_name_.begin(), by_name_.end(),
                  [&](std::size_t a, std::size_t b) { return info(a).name < info(b).name; });
    }

    std::vector<safetensors_source> shards_;
    std::vector<place> places_;
    std::vector<std::size_t> by_name_;
    std::vector<std::filesystem::path> files_;
};

static_assert(tensor_source<safetensors_source> && tensor_source<weights_source>);

/// Opens weights at `path`: a .safetensors file, a .safetensors.index.json, or a folder as diffusers (or transformers)
/// saves it. In a folder, full precision comes before fp16. If it has both one file and shards,
/// diffusion_pytorch_model.safetensors.index.json comes before diffusion_pytorch_model.safetensors, as in diffusers,
/// and model.safetensors before model.safetensors.index.json, as in transformers.
/// not_found if there are none; unsupported, with the command that converts it, if there is only a pickle.
result<weights_source> open_weights(const std::filesystem::path& path);

#if APRIORI_DEFINITIONS

namespace detail {

inline bool is_file(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error);
}

/// The weights of one name in a folder: `stem`.safetensors, or shards with an index. nullopt if there are none. If both
/// exist, as after a second save, each library reads its own: diffusers the shards, transformers the one file. An index
/// whose shards are missing, as after a save of one file, is skipped with a warning.
inline std::optional<result<weights_source>> open_named(const std::filesystem::path& folder, std::string_view stem,
                                                        std::string_view variant) {
    const auto file = folder / cat(stem, variant, ".safetensors");
    const bool one = is_file(file), shards_first = stem == "diffusion_pytorch_model";
    std::vector<std::string> indices{cat(stem, ".safetensors.index", variant, ".json")};
    if (!variant.empty()) indices.push_back(cat(stem, variant, ".safetensors.index.json")); // older versions' name
    for (const auto& name : indices) {
        const auto index = folder / name;
        if (!is_file(index) || (one && !shards_first)) continue;
        auto shards = weights_source::open_index(index);
        if (shards || !one || shards.error().code != errc::not_found) return shards;
        warn(cat(shards.error().message, "; reading ", file.filename().string(), " instead"));
    }
    if (one) return weights_source::open_file(file);
    return std::nullopt;
}

/// A pickle of weights in a folder, preferably one that diffusers or transformers writes; empty if there is none.
inline std::filesystem::path find_pickle(const std::filesystem::path& folder) {
    for (const char* stem : {"diffusion_pytorch_model", "pytorch_model", "model"})
        for (const char* name : {".bin", ".bin.index.json", ".fp16.bin", ".bin.index.fp16.json"})
            if (const auto path = folder / cat(stem, name); is_file(path)) return path;
    std::filesystem::path first;
    std::error_code error;
    for (std::filesystem::directory_iterator i(folder, error), end; !error && i != end; i.increment(error)) {
        const std::string name = i->path().filename().string();
        bool weights = is_pickle_name(name) && is_file(i->path());
        for (const std::string_view state : {"training_args", "optimizer", "scheduler", "scaler", "random_states"})
            weights = weights && !name.starts_with(state); // state of a stopped training
        if (weights && (first.empty() || i->path() < first)) first = i->path();
    }
    return first;
}

} // namespace detail

APRIORI_FUNCTION result<weights_source> open_weights(const std::filesystem::path& path) {
    std::error_code error;
    const auto kind = std::filesystem::status(path, error).type();
    if (kind == std::filesystem::file_type::not_found)
        return failure{errc::not_found, cat(path.string(), ": no such file or folder")};
    if (kind != std::filesystem::file_type::directory) {
        const std::string name = path.filename().string();
        if (is_pickle_name(name)) return pickle_failure(path);
        if (name.ends_with(".index.json") || name.ends_with(".index.fp16.json"))
            return weights_source::open_index(path);
        return weights_source::open_file(path);
    }
    for (const char* stem : {"diffusion_pytorch_model", "model"})
        for (const char* variant : {"", ".fp16"})
            if (auto found = detail::open_named(path, stem, variant)) return std::move(*found);
    if (const auto pickle = detail::find_pickle(path); !pickle.empty()) return pickle_failure(pickle);
    return failure{
        errc::not_found,
        cat(path.string(),
            ": holds no weights; looked for diffusion_pytorch_model.safetensors and model.safetensors, their .fp16 "
            "variants and .safetensors.index.json")};
}

#endif

} // namespace apriori::io
APRIORI_END_EXACT_MATH
