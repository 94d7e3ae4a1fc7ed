// SPDX-License-Identifier: Apache-2.0
// The functions of utf8proc that text/unicode.hpp calls, with the browser's tables of Unicode: digits.js answers for
// one character, and gives text in normalization form C, which these functions leave unchanged.
#pragma once

#include <cstddef>
#include <cstdint>

using utf8proc_uint8_t = std::uint8_t;
using utf8proc_int32_t = std::int32_t;
using utf8proc_ssize_t = std::ptrdiff_t;

enum utf8proc_option_t { UTF8PROC_STABLE = 1 << 1, UTF8PROC_COMPOSE = 1 << 3 };
/// In the order of digits.js.
enum utf8proc_category_t {
    UTF8PROC_CATEGORY_CN,
    UTF8PROC_CATEGORY_LU,
    UTF8PROC_CATEGORY_LL,
    UTF8PROC_CATEGORY_LT,
    UTF8PROC_CATEGORY_LM,
    UTF8PROC_CATEGORY_LO,
    UTF8PROC_CATEGORY_MN,
    UTF8PROC_CATEGORY_MC,
    UTF8PROC_CATEGORY_ME,
    UTF8PROC_CATEGORY_ND,
    UTF8PROC_CATEGORY_NL,
    UTF8PROC_CATEGORY_NO,
    UTF8PROC_CATEGORY_PC,
};
struct utf8proc_property_t {
    int combining_class;
};

extern "C" {
[[clang::import_module("unicode"), clang::import_name("category")]] int unicode_category(std::int32_t c);
[[clang::import_module("unicode"), clang::import_name("lower")]] std::int32_t unicode_lower(std::int32_t c);
}

inline int utf8proc_category(std::int32_t c) { return unicode_category(c); }
inline std::int32_t utf8proc_tolower(std::int32_t c) { return unicode_lower(c); }

inline utf8proc_ssize_t utf8proc_encode_char(std::int32_t c, std::uint8_t* to) {
    const auto tail = [&](int shift) { return std::uint8_t(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x80) return to[0] = std::uint8_t(c), 1;
    if (c < 0x800) return to[0] = std::uint8_t(0xC0 | c >> 6), to[1] = tail(0), 2;
    if (c < 0x10000) return to[0] = std::uint8_t(0xE0 | c >> 12), to[1] = tail(6), to[2] = tail(0), 3;
    return to[0] = std::uint8_t(0xF0 | c >> 18), to[1] = tail(12), to[2] = tail(6), to[3] = tail(0), 4;
}

// For normalized text.
inline const utf8proc_property_t* utf8proc_get_property(std::int32_t) {
    static constexpr utf8proc_property_t none{0};
    return &none;
}
inline utf8proc_ssize_t utf8proc_decompose_char(std::int32_t c, std::int32_t* to, utf8proc_ssize_t, utf8proc_option_t,
                                                int*) {
    return *to = c, 1;
}
inline utf8proc_ssize_t utf8proc_normalize_utf32(std::int32_t*, utf8proc_ssize_t n, utf8proc_option_t) { return n; }
