// SPDX-License-Identifier: Apache-2.0
// Reads a configuration from the text of its JSON file by its table of fields, in constant expressions and at run time.
#pragma once

#include "apriori/core/field.hpp"
#include "apriori/core/macros.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

/// Whether a list of names in JSON contains one.
constexpr bool json_lists(const json_token& list, std::string_view name) noexcept {
    bool found = false;
    if (list.is(json_kind::array))
        json_reader(list.text).members([&](std::string_view, const json_token& v) { found |= json_says(v, name); });
    return found;
}

} // namespace detail

/// A configuration, or the error in its file.
template <class Config>
struct config_reading {
    Config config{};
    errc code = errc::ok;
    short_text<1024> message{}; ///< the text after the file's name: ": field 'num_layers' is 0; allowed: ..."
    short_text<512> warning{};  ///< the same for fields that change nothing; empty if there are none

    constexpr bool ok() const noexcept { return code == errc::ok; }
    constexpr explicit operator bool() const noexcept { return ok(); }

    /// Reports an error, unless there already is one.
    template <class... Parts>
    constexpr void refuse(errc why, const Parts&... parts) noexcept {
        if (!ok()) return;
        code = why;
        message.add(": ", parts...);
    }
    /// Reports that `text` is not well-formed JSON, in place of any other error.
    constexpr void malformed(std::string_view text, const json_reader& reader) noexcept {
        code = errc::bad_format;
        message = {};
        add_place(message, text, reader.position());
        message.add(": ", reader.error());
    }
};

/// The configuration in `text`. Absent fields keep their values in `c`, and so do those in diffusers' list
/// `_use_default_values`. bad_format if the text is not a JSON object or has a field twice; unsupported for a field
/// that is `only` supported with other values, such as `_class_name`; otherwise invalid_argument. Unknown fields cause
/// a warning, unless `related` names them: the fields of classes from which this one may be made.
template <class Config>
constexpr config_reading<Config> read_config(std::string_view text, const Config& c = {},
                                             other_fields others = Config::others,
                                             json_reader::dialect dialect = json_reader::dialect::json,
                                             std::span<const std::string_view> related = {}) noexcept {
    constexpr auto& fields = fields_of<Config>;
    config_reading<Config> out{.config = c};
    std::array<json_token, fields.size()> values{};
    const json_token defaults = json_member(text, "_use_default_values", dialect);
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
            if (others == other_fields::ignored || key.starts_with('_')) return;
            for (const std::string_view name : related)
                if (json_says(key, name)) return;
            out.warning.add(out.warning.size == 0 ? ": ignored: '" : ", '");
            add_untrusted(out.warning, key, 100, true);
            out.warning.add('\'');
        });
    } else {
        short_text<64> shown;
        add_shown(shown, reader.value());
        out.refuse(errc::bad_format, "is ", shown.view(), ", not an object");
    }
    reader.end();
    if (reader.error() != nullptr) out.malformed(text, reader);
    if (!out) return out;

    const auto read = [&](std::size_t i) {
        const field<Config>& f = fields[i];
        if (!values[i] || detail::json_lists(defaults, f.name)) return;
        if (f.applies != nullptr && !(out.config.*f.applies)()) return;
        const double value = f.parse(values[i]);
        if (f.holds(value)) {
            f.set(out.config, value);
            return;
        }
        if (f.condition != nullptr && !(out.config.*f.condition)) return; // a value that is not used
        out.refuse(f.has_member() ? errc::invalid_argument : errc::unsupported, "field '", f.name, "' is ");
        add_shown(out.message, values[i]);
        out.message.add("; allowed: ");
        f.add_allowed(out.message);
    };
    for (const bool conditional : {false, true}) // fields with a condition after their flags
        for (std::size_t i = 0; i < fields.size() && out; ++i)
            if ((fields[i].condition != nullptr) == conditional) read(i);
    if (out.warning.size > 0) out.warning.add("; ", Config::class_name, " has no such field");
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
