// SPDX-License-Identifier: Apache-2.0
// Reads JSON in constant expressions and at run time, in one pass over the text and without allocation.
#pragma once

#include "apriori/core/fixed_string.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace apriori {

enum class json_kind : std::uint8_t { absent, null, boolean, number, string, array, object };

/// A value as written in the text: a string with its quotes and escapes, a container with everything in it.
struct json_token {
    json_kind kind = json_kind::absent;
    std::string_view text{};

    constexpr bool is(json_kind k) const noexcept { return kind == k; }
    /// Whether it is present.
    constexpr explicit operator bool() const noexcept { return kind != json_kind::absent; }
};

namespace detail {

/// The value of a hexadecimal digit; -1 for another character.
constexpr int hex_digit(char c) noexcept {
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace detail

/// A position in a JSON text. The first error is kept, and nothing is read after it.
///
///     json_reader reader(R"({"a": 1, "b": [2]})");
///     reader.members([&](std::string_view key, const json_token& value) { ... });
///     if (reader.error() != nullptr) ...
class json_reader {
public:
    static constexpr int max_depth = 32;
    /// `python` also accepts bare Infinity, -Infinity and NaN, which JSON does not have.
    enum class dialect : bool { json, python };

    constexpr explicit json_reader(std::string_view text, dialect d = dialect::json) noexcept
        : text_(text), python_(d == dialect::python) {}

    /// What is wrong, nullptr if nothing is; and the offset of the first wrong character.
    constexpr const char* error() const noexcept { return error_; }
    constexpr std::size_t position() const noexcept { return at_; }
    /// How many values have been read, including nested ones.
    constexpr std::size_t values() const noexcept { return values_; }

    /// Calls f(key, value) for each member of the object or array that comes next; in an array the keys are "".
    constexpr void members(auto&& f) {
        const char close = look() == '{' ? '}' : ']';
        ++at_;
        if (++depth_ > max_depth) return fail("is nested deeper than 32 levels");
        space();
        for (bool more = look() != close; more && error_ == nullptr;) {
            std::string_view key;
            if (close == '}') {
                space();
                key = string();
                space();
                expect(':');
            }
            const json_token v = value();
            if (error_ == nullptr) f(key, v);
            space();
            more = look() == ',';
            if (more) ++at_;
        }
        expect(close);
        --depth_;
    }

    /// The value that comes next, checked throughout.
    constexpr json_token value() noexcept {
        space();
        ++values_;
        json_token token;
        const std::size_t from = at_;
        switch (look()) {
        case '{':
        case '[':
            token.kind = look() == '{' ? json_kind::object : json_kind::array;
            members([](std::string_view, const json_token&) {});
            break;
        case '"':
            token.kind = json_kind::string;
            string();
            break;
        case 'n':
            token.kind = json_kind::null;
            word("null");
            break;
        case 't':
        case 'f':
            token.kind = json_kind::boolean;
            word(look() == 't' ? "true" : "false");
            break;
        default:
            token.kind = json_kind::number;
            number();
        }
        token.text = text_.substr(from, at_ - from);
        return token;
    }
    /// Fails if anything but white space is left.
    constexpr void end() noexcept {
        space();
        if (at_ != text_.size()) fail();
    }
    constexpr void space() noexcept {
        while (look() == ' ' || look() == '\n' || look() == '\r' || look() == '\t') ++at_;
    }
    /// The next character; 0 at the end.
    constexpr char look() const noexcept { return at_ < text_.size() && error_ == nullptr ? text_[at_] : '\0'; }

private:
    constexpr void fail(const char* why = "is not well-formed JSON") noexcept {
        if (error_ == nullptr) error_ = why;
    }
    constexpr void expect(char c) noexcept {
        if (look() == c)
            ++at_;
        else
            fail();
    }
    constexpr void word(std::string_view w) noexcept {
        for (const char c : w) expect(c);
    }
    constexpr bool digits() noexcept {
        const std::size_t from = at_;
        while (look() >= '0' && look() <= '9') ++at_;
        return at_ > from;
    }
    constexpr void number() noexcept {
        if (look() == '-') ++at_;
        if (python_ && look() == 'I') return word("Infinity");
        if (python_ && look() == 'N') return word("NaN");
        const bool zero = look() == '0';
        const std::size_t from = at_;
        if (!digits() || (zero && at_ - from > 1)) return fail();
        if (look() == '.' && ++at_ != 0 && !digits()) return fail();
        if (look() == 'e' || look() == 'E') {
            ++at_;
            if (look() == '+' || look() == '-') ++at_;
            if (!digits()) fail();
        }
    }
    /// The value of the four digits after the `u` that comes next; stops at the last of them. Fails and returns -1 if
    /// there are fewer.
    constexpr int code_unit() noexcept {
        int c = 0;
        for (int i = 0; i < 4; ++i) {
            ++at_;
            const int digit = detail::hex_digit(look());
            if (digit < 0) {
                fail();
                return -1;
            }
            c = c * 16 + digit;
        }
        return c;
    }
    /// The text between the quotes.
    constexpr std::string_view string() noexcept {
        expect('"');
        const std::size_t from = at_;
        for (; look() != '"'; ++at_) {
            if ((look() & 0xFF) < 0x20) fail(); // also at the end of the text
            if (look() == '\\') {
                ++at_;
                if (look() == 'u') {
                    // Half of a surrogate pair is not a character.
                    const int first = code_unit();
                    if (first >= 0xDC00 && first < 0xE000) fail();
                    if (first >= 0xD800 && first < 0xDC00) {
                        ++at_;
                        expect('\\');
                        const int second = look() == 'u' ? code_unit() : 0;
                        if (second < 0xDC00 || second >= 0xE000) fail();
                    }
                } else if (look() == '\0' || std::string_view("\"\\/bfnrt").find(look()) == std::string_view::npos) {
                    fail();
                }
            }
            if (error_ != nullptr) return {};
        }
        return text_.substr(from, at_++ - from);
    }

    std::string_view text_;
    std::size_t at_ = 0, values_ = 0;
    int depth_ = 0;
    bool python_;
    const char* error_ = nullptr;
};

/// Appends the line and column of a position in a text: ":3:14".
template <std::size_t N>
constexpr void add_place(short_text<N>& to, std::string_view text, std::size_t position) noexcept {
    std::size_t line = 1, column = 1;
    for (const char c : text.substr(0, position)) {
        column = c == '\n' ? 1 : column + 1;
        line += c == '\n' ? 1 : 0;
    }
    to.add(':', line, ':', column);
}

/// Whether the case of letters matters.
enum class letters : bool { exact, any_case };

/// Whether the inside of a JSON string, with its escapes, equals `plain`, which is ASCII.
constexpr bool json_says(std::string_view inside, std::string_view plain, letters match = letters::exact) noexcept {
    const auto lower = [match](int c) {
        return match == letters::any_case && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
    };
    std::size_t i = 0;
    for (const char wanted : plain) {
        if (i == inside.size()) return false;
        int c = inside[i++];
        if (c == '\\') {
            constexpr std::string_view escapes = "bfnrt", meant = "\b\f\n\r\t";
            c = inside[i++];
            if (c == 'u') {
                c = 0;
                for (int k = 0; k < 4; ++k) c = c * 16 + detail::hex_digit(inside[i++]);
            } else if (const auto at = escapes.find(char(c)); at != std::string_view::npos) {
                c = meant[at];
            }
        }
        if (lower(c) != lower(wanted)) return false;
    }
    return i == inside.size();
}
constexpr bool json_says(const json_token& value, std::string_view plain, letters match = letters::exact) noexcept {
    return value.is(json_kind::string) && json_says(value.text.substr(1, value.text.size() - 2), plain, match);
}

/// Appends text from a file for use in a message: printable ASCII as it is, other bytes as `\xNN`, cut to `most`
/// characters. White space is dropped outside quotes; `quoted` says whether the text begins inside them.
template <std::size_t N>
constexpr void add_untrusted(short_text<N>& to, std::string_view text, std::size_t most, bool quoted) noexcept {
    constexpr std::string_view digits = "0123456789abcdef";
    short_text<128> out;
    bool escaped = false;
    for (const char c : text) {
        const unsigned byte = std::uint8_t(c);
        quoted = c == '"' && !escaped ? !quoted : quoted;
        escaped = c == '\\' && !escaped;
        if (!quoted && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
        if (byte >= 0x20 && byte < 0x7F)
            out.add(c);
        else
            out.add("\\x", digits[byte >> 4], digits[byte & 15U]);
    }
    if (out.size > most)
        to.add(out.view().substr(0, most - 3), "...");
    else
        to.add(out.view());
}

/// Appends a value for use in a message: as written, without white space, at most 60 characters. Objects and arrays of
/// more than 16 values are only named.
template <std::size_t N>
constexpr void add_shown(short_text<N>& to, const json_token& value) noexcept {
    if (value.is(json_kind::object)) return to.add("an object");
    int count = 0;
    if (value.is(json_kind::array))
        json_reader(value.text).members([&](std::string_view, const json_token&) { ++count; });
    if (count > 16) return to.add("an array of ", count, " values");
    add_untrusted(to, value.text, 60, false);
}

/// The member `key` of the object in `text`; absent if there is none, or if the text is not an object.
constexpr json_token json_member(std::string_view text, std::string_view key,
                                 json_reader::dialect d = json_reader::dialect::json) noexcept {
    json_token found;
    json_reader reader(text, d);
    reader.space();
    if (reader.look() == '{')
        reader.members([&](std::string_view name, const json_token& value) {
            if (json_says(name, key)) found = value;
        });
    return found;
}

} // namespace apriori
