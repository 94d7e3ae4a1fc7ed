// SPDX-License-Identifier: Apache-2.0
// A model's configuration from the text of its config.json. Those of CLIP's encoders may also be parts of the file of
// transformers' CLIPModel, which consists of both, as in openai's checkpoints.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/read_config.hpp"
#include "apriori/models/clip_config.hpp"
#include "apriori/models/prior_config.hpp"

#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Both configurations of a CLIPModel.
struct clip_model_configs {
    CLIPTextConfig text{};
    CLIPVisionConfig vision{};

    constexpr bool operator==(const clip_model_configs&) const = default;
};

namespace detail {

/// An encoder's part of the config.json of a CLIPModel, as in transformers: text_config_dict comes before text_config,
/// what both omit is the class's default, and the projection's width is that of the whole model.
template <class Config>
constexpr config_reading<Config> read_part_of_clip_model(std::string_view text) noexcept {
    config_reading<Config> out;
    json_token part{.text = "{}"};
    std::string_view name = Config::parts_of_clip_model[1];
    for (const std::string_view key : Config::parts_of_clip_model) {
        const json_token value = json_member(text, key);
        if (!value || value.is(json_kind::null)) continue;
        name = key;
        part = value;
        break;
    }
    const config_reading<Config> read = read_config<Config>(part.text);
    out.config = read.config;
    if (!read) out.refuse(read.code, name, read.message.view());

    const json_token classes = json_member(text, "architectures");
    if (classes && !classes.is(json_kind::null) && classes.text.find("CLIPModel") == std::string_view::npos) {
        out.refuse(errc::unsupported, "field 'architectures' is ");
        add_shown(out.message, classes);
        out.message.add("; allowed where model_type is \"clip\": [\"CLIPModel\"], null");
    }
    for (const field<Config>& f : fields_of<Config>) {
        if (f.name != "projection_dim") continue;
        const json_token width = json_member(text, f.name);
        const double value = width ? f.parse(width) : f.get(Config{});
        if (f.holds(value) && value > 0) {
            f.set(out.config, value);
        } else if (out) {
            out.refuse(errc::invalid_argument, "field 'projection_dim' is ");
            add_shown(out.message, width);
            out.message.add("; allowed where model_type is \"clip\": an integer from 1 to ", int(f.most));
        }
    }
    return out;
}

} // namespace detail

/// As read_config. An encoder's configuration may also be part of the config.json of a
/// CLIPModel, whose model_type is "clip".
template <class Config>
constexpr config_reading<Config> read_model_config(std::string_view text) noexcept {
    if constexpr (requires { Config::parts_of_clip_model; }) {
        json_reader reader(text);
        const json_token whole = reader.value();
        reader.end();
        if (reader.error() == nullptr && whole.is(json_kind::object) &&
            json_says(json_member(text, "model_type"), "clip"))
            return detail::read_part_of_clip_model<Config>(text);
    }
    return read_config<Config>(text);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
