// SPDX-License-Identifier: Apache-2.0
// PriorConfig from and to diffusers' config.json, and to C++. All three walk one table of fields.
#pragma once

#include "apriori/io/json_fields.hpp"
#include "apriori/models/prior_config.hpp"

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace apriori::io {

namespace detail {

// The first spelling of a value is the one that is written; C++ names its enumerators alike, and null `none`.
inline constexpr choice<activation> activation_choices[] = {{"silu", activation::silu},
                                                            {"swish", activation::swish},
                                                            {"mish", activation::mish},
                                                            {"gelu", activation::gelu},
                                                            {"relu", activation::relu}};
inline constexpr choice<norm_type> norm_choices[] = {
    {nullptr, norm_type::none}, {"layer", norm_type::layer}, {"rms", norm_type::rms}};
inline constexpr choice<hid_proj_type> hid_proj_choices[] = {{nullptr, hid_proj_type::none},
                                                             {"linear", hid_proj_type::linear}};
inline constexpr choice<added_emb> added_emb_choices[] = {{nullptr, added_emb::none}, {"prd", added_emb::prd}};

struct int_field {
    const char* name;
    int PriorConfig::* member;
    int least;
    bool nullable = false;
    static constexpr int most = 1 << 20; ///< far above any model; keeps products of two in 64 bits
};
struct flag_field { ///< of ours: written where it is not the default, which diffusers does not know
    const char* name;
    bool PriorConfig::* member;
};
struct number_field {
    const char* name;
    float PriorConfig::* member;
    float least;
    float most;
};
template <class E>
struct choice_field {
    const char* name;
    E PriorConfig::* member;
    std::span<const choice<E>> choices;
    const char* type; ///< of the enumerators, in C++
    letters match = letters::exact;
};

/// The fields of PriorConfig in their order.
inline constexpr auto prior_config_fields =
    std::tuple{int_field{"num_attention_heads", &PriorConfig::num_attention_heads, 1},
               int_field{"attention_head_dim", &PriorConfig::attention_head_dim, 1},
               int_field{"num_layers", &PriorConfig::num_layers, 1},
               int_field{"embedding_dim", &PriorConfig::embedding_dim, 1},
               int_field{"num_embeddings", &PriorConfig::num_embeddings, 0},
               int_field{"additional_embeddings", &PriorConfig::additional_embeddings, 0},
               number_field{"dropout", &PriorConfig::dropout, 0.0F, 1.0F},
               choice_field<activation>{"time_embed_act_fn", &PriorConfig::time_embed_act_fn, activation_choices,
                                        "activation", letters::any_case},
               choice_field<norm_type>{"norm_in_type", &PriorConfig::norm_in_type, norm_choices, "norm_type"},
               choice_field<norm_type>{"embedding_proj_norm_type", &PriorConfig::embedding_proj_norm_type, norm_choices,
                                       "norm_type"},
               choice_field<hid_proj_type>{"encoder_hid_proj_type", &PriorConfig::encoder_hid_proj_type,
                                           hid_proj_choices, "hid_proj_type"},
               choice_field<added_emb>{"added_emb_type", &PriorConfig::added_emb_type, added_emb_choices, "added_emb"},
               int_field{"time_embed_dim", &PriorConfig::time_embed_dim, 1, true},
               int_field{"embedding_proj_dim", &PriorConfig::embedding_proj_dim, 1, true},
               int_field{"clip_embed_dim", &PriorConfig::clip_embed_dim, 1, true},
               flag_field{"time_embedding", &PriorConfig::time_embedding}};

/// Calls `f` with each field in turn.
template <class F>
void for_each_prior_field(F&& f) {
    std::apply([&](const auto&... field) { (f(field), ...); }, prior_config_fields);
}

/// The first spelling of `value`; nullptr for null.
template <class E>
const char* spelling(const choice_field<E>& field, const PriorConfig& config) {
    for (const auto& c : field.choices)
        if (c.value == config.*field.member) return c.text;
    return nullptr;
}

/// Whether a file that says nothing of time_embedding is that of an ECLIPSE prior, whose class has the name of diffusers' but no
/// fields of time, and a token less: the three behind the text do not hold the pooled one, time, latents and prd of diffusers'.
inline bool is_eclipse(json_fields& fields, const PriorConfig& config) {
    const auto absent = [&](const char* key) { return fields.next(key) == nullptr; };
    return absent("time_embedding") && absent("time_embed_act_fn") && absent("time_embed_dim") &&
           config.additional_embeddings == 3 && config.added_emb_type == added_emb::prd;
}

/// The shortest decimal that reads back as `x`, always with a point or an exponent.
inline std::string decimal(float x) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, x).ptr;
    std::string out(text, end);
    if (out.find_first_of(".en") == std::string::npos) out += ".0";
    return out;
}

} // namespace detail

/// The configuration in `fields`. Absent fields take the class defaults; invalid_argument names file, field, value and
/// what is allowed; unsupported if `_class_name` is another class.
inline result<PriorConfig> read_prior_config(json_fields& fields) {
    PriorConfig config;
    detail::for_each_prior_field([&]<class Field>(const Field& field) {
        auto& out = config.*field.member;
        if constexpr (std::is_same_v<Field, detail::int_field>) {
            if (field.nullable)
                fields.integer_or_null(field.name, out, field.least, field.most, none);
            else
                fields.integer(field.name, out, field.least, field.most);
        } else if constexpr (std::is_same_v<Field, detail::flag_field>) {
            fields.boolean(field.name, out);
        } else if constexpr (std::is_same_v<Field, detail::number_field>) {
            fields.number(field.name, out, field.least, field.most);
        } else {
            fields.one_of(field.name, out, field.choices, field.match);
        }
    });
    if (detail::is_eclipse(fields, config)) config.time_embedding = false;
    if (!config.time_embedding && config.added_emb_type != added_emb::prd)
        fields.refuse("time_embedding is false, which is allowed with added_emb_type \"prd\" alone");
    const auto inner = std::int64_t{config.num_attention_heads} * config.attention_head_dim;
    if (inner > detail::int_field::most)
        fields.refuse(cat("num_attention_heads ", config.num_attention_heads, " times attention_head_dim ",
                          config.attention_head_dim, " is ", inner, "; allowed: at most ", detail::int_field::most));
    if (auto done = fields.finish("PriorTransformer"); !done.ok()) return done.error();
    return config;
}

/// The configuration in the text of a config.json; `where` (a path) opens the messages.
inline result<PriorConfig> parse_prior_config(std::string_view text, std::string_view where = "config.json") {
    auto fields = json_fields::parse(text, where);
    if (!fields.ok()) return fields.error();
    return read_prior_config(*fields);
}

/// The configuration in a file, or in the config.json of a folder.
inline result<PriorConfig> load_prior_config(const std::filesystem::path& path) {
    std::error_code error;
    auto fields = json_fields::open(std::filesystem::is_directory(path, error) ? path / "config.json" : path);
    if (!fields.ok()) return fields.error();
    return read_prior_config(*fields);
}

/// The text of a config.json that diffusers reads and parse_prior_config gives back unchanged.
inline std::string to_json_text(const PriorConfig& config) {
    std::string out = "{\n  \"_class_name\": \"PriorTransformer\"";
    detail::for_each_prior_field([&]<class Field>(const Field& field) {
        if constexpr (std::is_same_v<Field, detail::flag_field>)
            if (config.*field.member == PriorConfig{}.*field.member) return;
        out += cat(",\n  \"", field.name, "\": ");
        if constexpr (std::is_same_v<Field, detail::int_field>) {
            const int value = config.*field.member;
            out += field.nullable && value == none ? "null" : std::to_string(value);
        } else if constexpr (std::is_same_v<Field, detail::flag_field>) {
            out += config.*field.member ? "true" : "false";
        } else if constexpr (std::is_same_v<Field, detail::number_field>) {
            out += detail::decimal(config.*field.member);
        } else {
            const char* text = detail::spelling(field, config);
            out += text == nullptr ? std::string("null") : cat('"', text, '"');
        }
    });
    return out += "\n}\n";
}

/// A C++ expression for the configuration: `apriori::PriorConfig{.num_attention_heads = 32, ...}`, every field written.
inline std::string to_cpp(const PriorConfig& config) {
    std::string out;
    detail::for_each_prior_field([&]<class Field>(const Field& field) {
        out += cat(out.empty() ? "apriori::PriorConfig{." : ", .", field.name, " = ");
        if constexpr (std::is_same_v<Field, detail::int_field>) {
            const int value = config.*field.member;
            out += field.nullable && value == none ? "apriori::none" : std::to_string(value);
        } else if constexpr (std::is_same_v<Field, detail::flag_field>) {
            out += config.*field.member ? "true" : "false";
        } else if constexpr (std::is_same_v<Field, detail::number_field>) {
            out += detail::decimal(config.*field.member) + 'F';
        } else {
            const char* text = detail::spelling(field, config);
            out += cat("apriori::", field.type, "::", (text == nullptr ? "none" : text));
        }
    });
    return out += '}';
}

} // namespace apriori::io
