// SPDX-License-Identifier: Apache-2.0
// A configuration from the text of its JSON file, in constant expressions and at run time, by the table of its class.
#pragma once

#include "apriori/core/field.hpp"
#include "apriori/core/macros.hpp"

#include <array>
#include <cstddef>
#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A configuration, or what is wrong with its file.
template <class Config>
struct config_reading {
    Config config{};
    errc code = errc::ok;
    short_text<1024> message{}; ///< what follows the name of the file: ": field 'num_layers' is 0; allowed: ..."

    constexpr bool ok() const noexcept { return code == errc::ok; }
    constexpr explicit operator bool() const noexcept { return ok(); }

    /// Reports an error, unless there is one.
    template <class... Parts>
    constexpr void refuse(errc why, const Parts&... parts) noexcept {
        if (!ok()) return;
        code = why;
        message.add(": ", parts...);
    }
    /// Reports that `text` is no JSON.
    constexpr void malformed(std::string_view text, const json_reader& reader) noexcept {
        code = errc::bad_format;
        message = {};
        add_place(message, text, reader.position());
        message.add(": ", reader.error());
    }
};

/// The configuration in `text`. Absent fields are those of `c`. bad_format for what is no JSON object or has a field twice;
/// unsupported for what `only` other values of a field mean, as of `_class_name`; else invalid_argument.
template <class Config>
constexpr config_reading<Config> read_config(std::string_view text, const Config& c = {},
                                             other_fields others = Config::others,
                                             json_reader::dialect dialect = json_reader::dialect::json) noexcept {
    constexpr auto& fields = fields_of<Config>;
    config_reading<Config> out{.config = c};
    std::array<json_token, fields.size()> values{};
    std::string_view unknown;
    json_reader reader(text, dialect);
    reader.space();
    if (reader.look() == '{') {
        reader.members([&](std::string_view key, const json_token& value) {
            for (std::size_t i = 0; i < fields.size(); ++i)
                if (json_says(key, fields[i].name)) {
                    if (values[i]) out.refuse(errc::bad_format, "the key '", fields[i].name, "' occurs twice");
                    values[i] = value;
                    return;
                }
            if (unknown.empty() && !key.starts_with('_')) unknown = key;
        });
    } else {
        short_text<64> shown;
        add_shown(shown, reader.value());
        out.refuse(errc::bad_format, "is ", shown.view(), ", not an object");
    }
    reader.end();
    if (reader.error() != nullptr) out.malformed(text, reader);
    if (!out) return out;

    for (std::size_t i = 0; i < fields.size() && out; ++i) {
        const field<Config>& f = fields[i];
        if (!values[i]) continue;
        const double value = f.parse(values[i]);
        if (f.holds(value)) {
            f.set(out.config, value);
            continue;
        }
        out.refuse(f.has_member() ? errc::invalid_argument : errc::unsupported, "field '", f.name, "' is ");
        add_shown(out.message, values[i]);
        out.message.add("; allowed: ");
        f.add_allowed(out.message);
    }
    if (others == other_fields::refused && !unknown.empty() && out) {
        out.refuse(errc::invalid_argument, "unknown field '");
        add_untrusted(out.message, unknown, 100, true);
        out.message.add("'; ", Config::class_name, " has ", fields.front().name);
        for_each_field<Config>([&](const auto& f) {
            if (f.name != fields.front().name) out.message.add(", ", f.name);
        });
    }
    if (!out) return out;
    if constexpr (requires { out.config.infer([](std::string_view) { return json_token{}; }); })
        out.config.infer([&](std::string_view name) {
            for (std::size_t i = 0; i < fields.size(); ++i)
                if (fields[i].name == name) return values[i];
            return json_token{};
        });
    if (const status s = out.config.together(); !s) {
        out.refuse(s.code);
        add_status(out.message, s);
    }
    return out;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
