// SPDX-License-Identifier: Apache-2.0
// What a tokenizer needs from Unicode: decoding, NFC, lower case, and four classes of characters. The tables are
// utf8proc's, and so is the version of Unicode.
#pragma once

#include "apriori/core/macros.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace apriori::unicode {

/// Replaces bytes that are not UTF-8.
inline constexpr char32_t replacement = 0xFFFD;

/// The code points of UTF-8 text. Accepts any bytes: each longest prefix of a sequence that turns out to be invalid
/// becomes one `replacement` (The Unicode Standard 3.9, "maximal subparts", as in Python and Rust).
inline std::u32string decode(std::string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const unsigned lead = std::uint8_t(text[i++]);
        if (lead < 0x80) {
            out += lead;
            continue;
        }
        const int more = lead < 0xC2 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 0;
        // The second byte reveals overlong forms, surrogates and code points above U+10FFFF.
        unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        char32_t c = lead & (0x3FU >> more);
        int taken = 0;
        while (taken < more && i < text.size()) {
            const unsigned next = std::uint8_t(text[i]);
            if (next < least || next > most) break;
            c = (c << 6) | (next & 0x3FU);
            least = 0x80;
            most = 0xBF;
            ++taken;
            ++i;
        }
        out += more > 0 && taken == more ? c : replacement;
    }
    return out;
}

/// Appends the UTF-8 bytes of a code point.
inline void encode(char32_t c, std::string& out) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto n = utf8proc_encode_char(utf8proc_int32_t(c), bytes.data());
    out.append(reinterpret_cast<const char*>(bytes.data()), std::size_t(n));
}

/// The text with `replacement` in place of what is not UTF-8.
inline std::string valid_text(std::string_view text) {
    std::string out;
    for (const char32_t c : decode(text)) encode(c, out);
    return out;
}

/// Normalisation form C (Unicode Standard Annex 15). Takes linear time, except to sort the marks on one character.
inline std::u32string nfc(std::u32string_view text) {
    if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x300; })) return std::u32string(text);

    constexpr auto options = utf8proc_option_t(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    std::vector<utf8proc_int32_t> points;
    points.reserve(text.size() + text.size() / 2);
    for (const char32_t c : text) {
        std::array<utf8proc_int32_t, 32> parts{}; // a canonical decomposition has at most four
        int boundary = 0;
        const auto n =
            utf8proc_decompose_char(utf8proc_int32_t(c), parts.data(), std::ssize(parts), options, &boundary);
        points.insert(points.end(), parts.data(), parts.data() + n);
    }
    // utf8proc sorts marks by exchanging neighbours, in quadratic time, and the text is untrusted: sort them here.
    const auto rank = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
    for (auto at = points.begin(); at != points.end();) {
        const auto marks = std::find_if(at, points.end(), [&](auto c) { return rank(c) != 0; });
        at = std::find_if(marks, points.end(), [&](auto c) { return rank(c) == 0; });
        std::vector<std::tuple<int, std::ptrdiff_t, utf8proc_int32_t>> order; // equal ranks keep their order
        for (auto mark = marks; mark != at; ++mark) order.emplace_back(int(rank(*mark)), mark - marks, *mark);
        std::sort(order.begin(), order.end());
        std::transform(order.begin(), order.end(), marks, [](const auto& o) { return std::get<2>(o); });
    }
    const auto n = utf8proc_normalize_utf32(points.data(), std::ssize(points), options);
    return {points.begin(), points.begin() + n};
}

/// Lower case by the full mapping, character by character. Neighbours are not considered, so there is no final sigma.
inline std::u32string lower(std::u32string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (const char32_t c : text) {
        if (c == 0x130) // LATIN CAPITAL LETTER I WITH DOT ABOVE, the only one that becomes two
            out += U"i\u0307";
        else
            out += char32_t(utf8proc_tolower(utf8proc_int32_t(c)));
    }
    return out;
}

/// The property White_Space.
constexpr bool is_space(char32_t c) noexcept {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
/// `\p{L}`: general category Lu, Ll, Lt, Lm, Lo.
inline bool is_letter(char32_t c) noexcept {
    const auto k = utf8proc_category(utf8proc_int32_t(c));
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
/// `\p{N}`: general category Nd, Nl, No.
inline bool is_number(char32_t c) noexcept {
    const auto k = utf8proc_category(utf8proc_int32_t(c));
    return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

/// `\w` (Unicode Technical Standard 18, Annex C): alphabetic characters, marks, decimal digits, connectors, joiners.
inline bool is_word(char32_t c) {
    const auto k = utf8proc_category(utf8proc_int32_t(c));
    // Letters in circles and squares count as symbols in their category.
    const bool enclosed = (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
                          (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) || k == UTF8PROC_CATEGORY_PC || enclosed ||
           c == 0x200C || c == 0x200D;
}

} // namespace apriori::unicode
