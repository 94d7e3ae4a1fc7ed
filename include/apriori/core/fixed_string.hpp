// SPDX-License-Identifier: Apache-2.0
// Text as a template argument: in compile errors, and as the names of weights.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace apriori {

template <std::size_t N>
struct fixed_string {
    char text[N]{};

    constexpr fixed_string() = default;
    constexpr fixed_string(const char (&s)[N]) { std::copy_n(s, N, text); }
    constexpr std::string_view view() const { return {text, N - 1}; }
    constexpr bool operator==(const fixed_string&) const = default;

    template <std::size_t M>
    constexpr fixed_string<N + M - 1> operator+(const char (&tail)[M]) const {
        fixed_string<N + M - 1> s;
        std::copy_n(text, N - 1, s.text);
        std::copy_n(tail, M, s.text + N - 1);
        return s;
    }
};

/// The name of a type F that has a `name`, as long as it is.
template <class F>
inline constexpr auto name_of = [] {
    fixed_string<std::string_view(F::name).size() + 1> s;
    std::copy_n(std::string_view(F::name).data(), std::string_view(F::name).size(), s.text);
    return s;
}();

/// The name of a weight as a type: w["proj_in.weight"_w].
template <fixed_string Text>
struct weight_name {
    static constexpr std::string_view view = Text.view();
};
template <fixed_string Text>
consteval weight_name<Text> operator""_w() {
    return {};
}

} // namespace apriori
