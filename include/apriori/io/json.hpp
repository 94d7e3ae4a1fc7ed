// SPDX-License-Identifier: Apache-2.0
// Reads untrusted JSON: no exceptions, no duplicate keys, bounded depth and number of values. Nothing is built:
// values are views of the text.
#pragma once

#include "apriori/core/decimal.hpp"
#include "apriori/core/json_reader.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/io/text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

struct json_item;

/// A value in a text that parse_json has checked, which must outlive it.
struct json : json_token {
    json() = default;
    explicit json(const json_token& token) : json_token(token) {}

    bool is_null() const noexcept { return kind == json_kind::null; }
    /// The content of a string, as UTF-8; empty for other kinds.
    std::string string() const;
    /// The value of a number; NaN for other kinds.
    double number() const noexcept {
        return is(json_kind::number) ? parse_decimal(text) : std::numeric_limits<double>::quiet_NaN();
    }
    /// The value of a number from 0 to 2^64 - 1 that is written as an integer: not 8.0, not "8".
    std::optional<std::uint64_t> whole() const noexcept;
    /// The member `key` of an object; absent if there is none.
    json operator[](std::string_view key) const noexcept { return json(json_member(text, key)); }
    /// The members of an object, sorted by key, or of an array, in their order and with empty keys.
    std::vector<json_item> items() const;
};

/// A member of an object, or an element of an array with an empty key.
struct json_item {
    std::string key;
    json value;
};

inline std::optional<std::uint64_t> json::whole() const noexcept {
    std::uint64_t n = 0;
    for (const char c : text) {
        const auto digit = static_cast<unsigned char>(c - '0');
        if (digit > 9 || n > ((std::numeric_limits<std::uint64_t>::max)() - digit) / 10) return std::nullopt;
        n = n * 10 + digit;
    }
    return is(json_kind::number) ? std::optional(n) : std::nullopt;
}

namespace detail {

/// The content of a JSON string, without its quotes, as UTF-8.
inline std::string unescaped(std::string_view s) {
    std::string out;
    const auto code_unit = [&](std::size_t at) {
        std::uint32_t c = 0;
        for (int k = 0; k < 4; ++k) c = c * 16 + static_cast<std::uint32_t>(apriori::detail::hex_digit(s[at++]));
        return c;
    };
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] != '\\') {
            out += s[i];
        } else if (s[++i] != 'u') {
            constexpr std::string_view escapes = "bfnrt", meant = "\b\f\n\r\t";
            const auto at = escapes.find(s[i]);
            out += at == std::string_view::npos ? s[i] : meant[at];
        } else {
            std::uint32_t c = code_unit(i + 1);
            i += 4;
            if (c >= 0xD800 && c < 0xE000) { // the other half of the pair follows
                c = 0x10000 + ((c - 0xD800) << 10) + (code_unit(i + 3) - 0xDC00);
                i += 6;
            }
            const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; // bytes after the first
            constexpr std::uint32_t leads[] = {0, 0xC0, 0xE0, 0xF0};
            out += static_cast<char>(leads[more] | c >> 6 * more);
            for (int k = more - 1; k >= 0; --k) out += static_cast<char>(0x80 | (c >> 6 * k & 0x3F));
        }
    }
    return out;
}

} // namespace detail

inline std::string json::string() const {
    return is(json_kind::string) ? detail::unescaped(text.substr(1, text.size() - 2)) : std::string();
}

inline std::vector<json_item> json::items() const {
    std::vector<json_item> out;
    if (is(json_kind::object) || is(json_kind::array))
        json_reader(text).members([&](std::string_view key, const json_token& value) {
            out.push_back({detail::unescaped(key), json(value)});
        });
    if (is(json_kind::object))
        std::sort(out.begin(), out.end(), [](const json_item& a, const json_item& b) { return a.key < b.key; });
    return out;
}

/// A value for a message: ASCII, at most 60 characters.
inline std::string shown(const json& value) {
    short_text<64> out;
    add_shown(out, value);
    return std::string(value ? out.view() : "null");
}

/// UTF-8 as a JSON string.
inline std::string json_quoted(std::string_view s) {
    std::string out = "\"";
    for (const char c : s) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) < 0x20)
            out += cat("\\u00", c < 0x10 ? '0' : '1', "0123456789abcdef"[c & 15]);
        else
            out += c;
    }
    return out += '"';
}

namespace detail {

/// What is wrong with a well-formed value, or with one inside it; empty if nothing is.
inline std::string json_fault(const json& value) {
    if (value.is(json_kind::number) && !is_finite(value.number()))
        return "is not well-formed JSON: a number is too large";
    const auto items = value.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0 && value.is(json_kind::object) && items[i].key == items[i - 1].key)
            return cat("the key ", quote(items[i].key), " occurs twice");
        if (std::string fault = json_fault(items[i].value); !fault.empty()) return fault;
    }
    return {};
}

} // namespace detail

/// Checks `text`; every message begins with `where` (a path). bad_format, with line and column, if it is not
/// well-formed; and if a key occurs twice, it is nested deeper than 32 levels, or it has more than 2 million values.
inline result<json> parse_json(std::string_view text, std::string_view where) {
    json_reader reader(text);
    const json value(reader.value());
    reader.end();
    short_text<64> place;
    const std::size_t valid =
        (std::min)(utf8_prefix(text), reader.error() != nullptr ? reader.position() : text.size());
    std::string fault = reader.error() != nullptr ? reader.error() : "";
    if (valid < text.size() || !fault.empty()) {
        add_place(place, text, valid);
        if (fault.empty()) fault = "is not well-formed JSON: it is not UTF-8";
    } else if (constexpr std::size_t most = 2'000'000; reader.values() > most) { // before any of them takes memory
        fault = cat("holds more than ", most, " values");
    } else {
        fault = detail::json_fault(value);
    }
    if (!fault.empty()) return failure{errc::bad_format, cat(where, place.view(), ": ", fault)};
    return value;
}

} // namespace apriori::io
APRIORI_END_EXACT_MATH
