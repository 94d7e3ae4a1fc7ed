// SPDX-License-Identifier: Apache-2.0
// How a program ends after an error: a message for people and an exit code for scripts.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"

#include <cstdio>
#include <string>
#include <string_view>

namespace apriori {

/// 0: ok; 2: an argument, a file or a model cannot be used; 3: the device failed or memory ran out; 130: cancelled.
constexpr int exit_code_of(errc code) noexcept {
    switch (code) {
    case errc::ok:
        return 0;
    case errc::workspace_too_small:
    case errc::device_error:
        return 3;
    case errc::cancelled:
        return 130;
    default:
        return 2;
    }
}

/// `text` on one line: control characters, which a path may contain, become `\xNN`.
std::string on_one_line(std::string_view text);

/// Prints "error: MESSAGE" to stderr, and returns the exit code.
int report(const failure& f);

#if APRIORI_DEFINITIONS

APRIORI_FUNCTION std::string on_one_line(std::string_view text) {
    std::string out;
    for (const char c : text) {
        constexpr char digits[] = "0123456789abcdef";
        const unsigned byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7F)
            out += c;
        else
            out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15U]);
    }
    return out;
}

APRIORI_FUNCTION int report(const failure& f) {
    std::fprintf(stderr, "error: %s\n", on_one_line(f.message).c_str());
    return exit_code_of(f.code);
}

#endif

} // namespace apriori
