// SPDX-License-Identifier: Apache-2.0
// The constant for a config.json, which the headers of CMake's apriori_add_config call.
#pragma once

#include "apriori/models/read_model_config.hpp"

namespace apriori {

namespace detail {

template <class Config, class File>
struct file_reading {
    static constexpr config_reading<Config> reading = read_model_config<Config>(File::text);
    /// What is wrong with the file; empty if nothing is.
    static constexpr auto text = [] {
        short_text<1280> said;
        if (!reading) said.add(File::path, reading.message.view());
        return said;
    }();
};

} // namespace detail

/// The configuration in `File::text`, the content of the file `File::path`: a CLIPTextConfig, a CLIPVisionConfig or,
/// for a CLIPModel, clip_model_configs if its model_type says so, else a PriorConfig. A file that io::load_config
/// refuses is a compile error with the same message.
template <class File>
consteval auto config_from_json() {
    constexpr json_token type = json_member(File::text, "model_type");
    const auto read = []<class Config>(Config) {
        using file = detail::file_reading<Config, File>;
        static_assert(compiles_unless_said<file>());
        return file::reading.config;
    };
    if constexpr (json_says(type, "clip_text_model"))
        return read(CLIPTextConfig{});
    else if constexpr (json_says(type, "clip_vision_model"))
        return read(CLIPVisionConfig{});
    else if constexpr (json_says(type, "clip"))
        return clip_model_configs{read(CLIPTextConfig{}), read(CLIPVisionConfig{})};
    else
        return read(PriorConfig{});
}

} // namespace apriori
