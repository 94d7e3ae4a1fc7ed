// SPDX-License-Identifier: Apache-2.0
// Text as a template argument, so that compile errors can name things.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace apriori {

template <std::size_t N>
struct fixed_string {
    char text[N]{};

    constexpr fixed_string(const char (&s)[N]) { std::copy_n(s, N, text); }
    constexpr std::string_view view() const { return {text, N - 1}; }
    constexpr bool operator==(const fixed_string&) const = default;
};

} // namespace apriori
