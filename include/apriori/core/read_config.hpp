// SPDX-License-Identifier: Apache-2.0
// A configuration from the text of its JSON file, in constant expressions and at run time, by the table of its class.
#pragma once

#include "apriori/core/field.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace apriori {

/// A configuration, or what is wrong with its file.
template <class Config>
struct config_reading {
    Config config{};
    errc code = errc::ok;
    short_text<1024> message{}; ///< what follows the name of the file: ": field 'num_layers' is 0; allowed: ..."

    constexpr bool ok() const noexcept { return code == errc::ok; }

    /// Reports an error, unless there is one.
    template <class... Parts>
    constexpr void refuse(errc why, const Parts&... parts) noexcept {
        if (!ok()) return;
        code = why;
        message.add(": ", parts...);
    }
    /// Reports a value that is not what is allowed, which `add_allowed(message)` writes.
    template <class Allowed>
    constexpr void refuse_value(errc why, std::string_view name, const json_token& value,
                                const Allowed& add_allowed) noexcept {
        if (!ok()) return;
        refuse(why, "field '", name, "' is ");
        add_shown(message, value);
        message.add("; allowed: ");
        add_allowed(message);
    }
    /// Reports that `text` is no JSON.
    constexpr void malformed(std::string_view text, const json_reader& reader) noexcept {
        const std::string_view before = text.substr(0, reader.position());
        const auto last = before.rfind('\n');
        code = errc::bad_format;
        message = {};
        message.add(":", std::count(before.begin(), before.end(), '\n') + 1, ":",
                    before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1, ": ", reader.error());
    }
};

/// The configuration in `text`. Absent fields are those of `c`. bad_format for what is no JSON object or has a field twice;
/// unsupported for another `_class_name` (where other fields are refused) and for what `only` this library does not support;
/// else invalid_argument.
template <class Config>
constexpr config_reading<Config> read_config(std::string_view text, const Config& c = {},
                                             other_fields others = Config::others,
                                             json_reader::dialect dialect = json_reader::dialect::json) noexcept {
    constexpr auto& fields = fields_of<Config>;
    config_reading<Config> out{.config = c};
    std::array<json_token, fields.size()> values{};
    json_token own_class;
    std::string_view unknown;
    json_reader reader(text, dialect);
    reader.space();
    const bool object = reader.look() == '{';
    if (!object) {
        const json_token other = reader.value();
        out.refuse(errc::bad_format, "is ");
        add_shown(out.message, other);
        out.message.add(", not an object");
    } else {
        reader.members([&](std::string_view key, const json_token& value) {
            if (json_says(key, "_class_name")) own_class = value;
            for (std::size_t i = 0; i < fields.size(); ++i)
                if (json_says(key, fields[i].name)) {
                    if (values[i]) out.refuse(errc::bad_format, "the key '", fields[i].name, "' occurs twice");
                    values[i] = value;
                    return;
                }
            if (unknown.empty() && !key.starts_with('_')) unknown = key;
        });
    }
    reader.end();
    if (reader.error() != nullptr) out.malformed(text, reader);
    if (!out.ok()) return out;

    const bool strict = others == other_fields::refused;
    if (strict && own_class && !json_says(own_class, Config::class_name))
        out.refuse_value(errc::unsupported, "_class_name", own_class,
                         [](auto& message) { message.add('"', Config::class_name, '"'); });
    for (std::size_t i = 0; i < fields.size() && out.ok(); ++i) {
        const field<Config>& f = fields[i];
        if (!values[i]) continue;
        const double value = f.has_member() ? f.parse(values[i]) : 0.0;
        if (f.has_member() ? !f.holds(value) : !f.supports(values[i]))
            out.refuse_value(f.has_member() ? errc::invalid_argument : errc::unsupported, f.name, values[i],
                             [&](auto& message) { f.add_allowed(message); });
        else if (f.has_member())
            f.set(out.config, value);
    }
    if (strict && !unknown.empty() && out.ok()) {
        out.refuse(errc::invalid_argument, "unknown field '");
        add_untrusted(out.message, unknown, 100, true);
        out.message.add("'; ", Config::class_name, " has ");
        for (const field<Config>& f : fields) out.message.add(&f == &fields.front() ? "" : ", ", f.name);
    }
    if (!out.ok()) return out;
    if constexpr (requires { out.config.infer([](std::string_view) { return json_token{}; }); })
        out.config.infer([&](std::string_view name) {
            for (std::size_t i = 0; i < fields.size(); ++i)
                if (fields[i].name == name) return values[i];
            return json_token{};
        });
    if (const status s = out.config.together(); !s.ok()) {
        out.refuse(s.code, "");
        add_status(out.message, s);
    }
    return out;
}

} // namespace apriori
