// SPDX-License-Identifier: Apache-2.0
// Loads a model from the folder that diffusers or transformers saved: its config.json is compared with the type.
#pragma once

#include "apriori/io/config_json.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/models/packed_weights.hpp"

#include <filesystem>

namespace apriori {

namespace detail {

/// Checks that the config.json of a folder is that of a type; invalid_argument names file, field and both values.
template <class Config>
result<void> check_config(const std::filesystem::path& folder, const Config& type) {
    const auto file = io::load_config<Config>(folder);
    if (!file) return file.error();
    const field_difference d = first_difference(meaning_of(*file, type), meaning_of(type));
    if (d.name.empty()) return {};
    return failure{errc::invalid_argument,
                   io::cat((folder / "config.json").string(), ": field '", d.name, "' is ", d.first.view(),
                           "; the type that is to be loaded has ", d.second.view(),
                           "; load the type of this configuration (apriori_add_config makes it of the file)")};
}

/// Checks that the table of tokens has as many rows as the config.json says.
result<void> check_vocabulary(const std::filesystem::path& folder, std::int32_t rows);

#if APRIORI_DEFINITIONS
APRIORI_FUNCTION result<void> check_vocabulary(const std::filesystem::path& folder, std::int32_t rows) {
    const auto file = io::load_config<CLIPTextConfig>(folder);
    if (!file) return file.error();
    if (file->vocab_size == rows) return {};
    return failure{errc::invalid_argument,
                   io::cat((folder / "config.json").string(), ": field 'vocab_size' is ", file->vocab_size,
                           "; the token_embedding.weight beside it has ", rows, "; make them equal")};
}
#else
extern template result<void> check_config(const std::filesystem::path&, const PriorConfig&);
extern template result<void> check_config(const std::filesystem::path&, const CLIPTextConfig&);
extern template result<void> check_config(const std::filesystem::path&, const CLIPVisionConfig&);
#endif

} // namespace detail

/// PriorTransformer, CLIPTextModelWithProjection and the like, on a device.
template <class Model>
concept folder_model = requires {
    typename Model::device_type;
    typename Model::weights;
    Model::config;
};

/// Loads a model from its folder, with the weights next to config.json (see io::open_weights). invalid_argument if the
/// config.json is that of another configuration (but a text encoder's vocabulary may be larger); other errors are those
/// of the files and of Model::load. Model::load, which takes a tensor source, only sees names and shapes: it cannot
/// detect differences that do not change shapes, such as the number of heads or an activation.
template <folder_model Model>
result<Model> load(typename Model::device_type& device, const std::filesystem::path& folder) {
    if (auto r = detail::check_config(folder, Model::config); !r) return r.error();
    const auto weights = io::open_weights(folder);
    if (!weights) return weights.error();
    auto model = Model::load(device, *weights);
    if (!model) return failure{model.error().code, io::cat(folder.string(), ": ", model.error().message)};
    if constexpr (requires { model->vocab_size(); })
        if (auto r = detail::check_vocabulary(folder, model->vocab_size()); !r) return r.error();
    return model;
}

} // namespace apriori
