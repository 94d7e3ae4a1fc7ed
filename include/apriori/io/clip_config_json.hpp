// SPDX-License-Identifier: Apache-2.0
// CLIPTextConfig and CLIPVisionConfig from the config.json of a text_encoder/ or image_encoder/ folder.
#pragma once

#include "apriori/io/json_fields.hpp"
#include "apriori/models/clip_config.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace apriori::io {

namespace detail {

inline constexpr choice<clip_activation> clip_activation_choices[] = {{"quick_gelu", clip_activation::quick_gelu},
                                                                      {"gelu", clip_activation::gelu}};
inline constexpr int clip_most = 1 << 20; ///< far above any model; keeps products of two in 64 bits

/// The fields that both have, and which of the classes `plain` and `plain`WithProjection it is.
template <class Config>
void read_clip_fields(json_fields& fields, Config& c, const std::string& plain, const char* model_type) {
    fields.integer("hidden_size", c.hidden_size, 1, clip_most);
    fields.integer("intermediate_size", c.intermediate_size, 1, clip_most);
    fields.integer_or_null("projection_dim", c.projection_dim, 0, clip_most, 0);
    fields.integer("num_hidden_layers", c.num_hidden_layers, 1, 4096);
    fields.integer("num_attention_heads", c.num_attention_heads, 1, clip_most);
    fields.one_of("hidden_act", c.hidden_act, clip_activation_choices);
    fields.number("layer_norm_eps", c.layer_norm_eps, 1e-30F, 1.0F);
    if (const json* v = fields.next("model_type"); v != nullptr && *v != model_type)
        fields.refuse("model_type", *v, cat('"', model_type, '"'), errc::unsupported);
    if (const json* v = fields.next("architectures"); v != nullptr && !v->is_null()) {
        if (*v == json::array({plain}))
            c = without_projection(c);
        else if (*v != json::array({plain + "WithProjection"}))
            fields.refuse("architectures", *v, cat("[\"", plain, "\"], [\"", plain, "WithProjection\"]"),
                          errc::unsupported);
    }
    if (c.hidden_size % c.num_attention_heads != 0)
        fields.refuse(
            cat("hidden_size ", c.hidden_size, " is not a multiple of num_attention_heads ", c.num_attention_heads));
}

template <class Read>
auto load_clip_config(const std::filesystem::path& path, Read&& read) -> decltype(read(std::declval<json_fields&>())) {
    std::error_code error;
    auto fields = json_fields::open(std::filesystem::is_directory(path, error) ? path / "config.json" : path);
    if (!fields.ok()) return fields.error();
    return read(*fields);
}

} // namespace detail

/// The configuration of a text encoder. Absent fields take the class defaults; fields that change nothing are let be.
/// projection_dim is 0 where `architectures` says CLIPTextModel. invalid_argument names file, field, value and what is
/// allowed; unsupported for another model_type or class.
inline result<CLIPTextConfig> read_clip_text_config(json_fields& fields) {
    CLIPTextConfig c;
    fields.integer("vocab_size", c.vocab_size, 1, 1 << 24);
    fields.integer("max_position_embeddings", c.max_position_embeddings, 1, detail::clip_most);
    fields.integer("eos_token_id", c.eos_token_id, 0, 1 << 24);
    detail::read_clip_fields(fields, c, "CLIPTextModel", "clip_text_model");
    if (auto done = fields.finish(); !done.ok()) return done.error();
    return c;
}
/// The configuration of an image encoder, likewise.
inline result<CLIPVisionConfig> read_clip_vision_config(json_fields& fields) {
    CLIPVisionConfig c;
    fields.integer("num_channels", c.num_channels, 1, 4096);
    fields.integer("image_size", c.image_size, 1, 1 << 15);
    fields.integer("patch_size", c.patch_size, 1, 1 << 15);
    detail::read_clip_fields(fields, c, "CLIPVisionModel", "clip_vision_model");
    if (c.image_size < c.patch_size)
        fields.refuse(cat("image_size ", c.image_size, " is less than patch_size ", c.patch_size));
    if (auto done = fields.finish(); !done.ok()) return done.error();
    return c;
}

/// The configuration in the text of a config.json; `where` (a path) opens the messages.
inline result<CLIPTextConfig> parse_clip_text_config(std::string_view text, std::string_view where = "config.json") {
    auto fields = json_fields::parse(text, where);
    if (!fields.ok()) return fields.error();
    return read_clip_text_config(*fields);
}
inline result<CLIPVisionConfig> parse_clip_vision_config(std::string_view text,
                                                         std::string_view where = "config.json") {
    auto fields = json_fields::parse(text, where);
    if (!fields.ok()) return fields.error();
    return read_clip_vision_config(*fields);
}

/// The configuration in a file, or in the config.json of a folder.
inline result<CLIPTextConfig> load_clip_text_config(const std::filesystem::path& path) {
    return detail::load_clip_config(path, [](json_fields& fields) { return read_clip_text_config(fields); });
}
inline result<CLIPVisionConfig> load_clip_vision_config(const std::filesystem::path& path) {
    return detail::load_clip_config(path, [](json_fields& fields) { return read_clip_vision_config(fields); });
}

} // namespace apriori::io
