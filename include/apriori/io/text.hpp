// SPDX-License-Identifier: Apache-2.0
// Text for messages. Names from files are untrusted, so they are truncated and control characters are escaped.
#pragma once

#include "apriori/core/macros.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace apriori::io {

/// Concatenates texts, characters and integers.
template <class... Parts>
std::string cat(const Parts&... parts) {
    std::string out;
    const auto add = [&](const auto& part) {
        using part_type = std::remove_cvref_t<decltype(part)>;
        if constexpr (std::is_same_v<part_type, char>)
            out += part;
        else if constexpr (std::is_integral_v<part_type>)
            out += std::to_string(part);
        else
            out += std::string_view(part);
    };
    (add(parts), ...);
    return out;
}

/// The length of the longest prefix of `s` that is well-formed UTF-8: no overlong forms, no
/// surrogates, nothing above U+10FFFF.
inline std::size_t utf8_prefix(std::string_view s) noexcept {
    std::size_t i = 0;
    while (i < s.size()) {
        const auto lead = static_cast<unsigned char>(s[i]);
        const std::size_t length = lead < 0x80   ? 1
                                   : lead < 0xC2 ? 0
                                   : lead < 0xE0 ? 2
                                   : lead < 0xF0 ? 3
                                   : lead < 0xF5 ? 4
                                                 : 0;
        if (length == 0 || length > s.size() - i) return i;
        for (std::size_t k = 1; k < length; ++k)
            if ((static_cast<unsigned char>(s[i + k]) & 0xC0U) != 0x80U) return i;
        if (length > 2) {
            const auto second = static_cast<unsigned char>(s[i + 1]);
            if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
                (lead == 0xF4 && second > 0x8F))
                return i;
        }
        i += length;
    }
    return i;
}
inline bool valid_utf8(std::string_view s) noexcept { return utf8_prefix(s) == s.size(); }

/// Whether `s` has a control character: C0, DEL, or C1 encoded in UTF-8.
inline bool has_control(std::string_view s) noexcept {
    for (std::size_t i = 0; i < s.size(); ++i) {
        const auto c = static_cast<unsigned char>(s[i]);
        if (c < 0x20 || c == 0x7F) return true;
        if (c == 0xC2 && i + 1 < s.size() && (static_cast<unsigned char>(s[i + 1]) & 0xE0U) == 0x80U) return true;
    }
    return false;
}

/// `s` in single quotes, for one line of a message: anything but clean UTF-8 is escaped as `\xNN`, and after `most`
/// bytes it is cut and marked with "...".
inline std::string quote(std::string_view s, std::size_t most = 100) {
    const bool cut = s.size() > most;
    if (cut) {
        s = s.substr(0, most);
        while (!s.empty() && !valid_utf8(s) && s.size() + 4 > most) s.remove_suffix(1);
    }
    std::string out = "'";
    if (valid_utf8(s) && !has_control(s)) {
        out += s;
    } else {
        constexpr char digits[] = "0123456789abcdef";
        for (const char c : s) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte >= 0x20 && byte < 0x7F) {
                out += c;
            } else {
                out += "\\x";
                out += digits[byte >> 4];
                out += digits[byte & 15U];
            }
        }
    }
    return out + (cut ? "...'" : "'");
}

/// `s` with ASCII letters in lower case.
inline std::string lower(std::string_view s) {
    std::string out(s);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

} // namespace apriori::io
