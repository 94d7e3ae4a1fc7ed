// SPDX-License-Identifier: Apache-2.0
// Fixed-size text for constant expressions: template arguments, compile errors and the names of weights. It can be
// concatenated at compile time.
#pragma once

#include "apriori/core/macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace apriori {

/// A string of N - 1 characters and a terminating zero, usable as a template argument.
template <std::size_t N>
struct fixed_string {
    char text[N]{};

    constexpr fixed_string() = default;
    constexpr fixed_string(const char (&s)[N]) { std::copy_n(s, N, text); }
    /// Copies as much of `s` as fits.
    constexpr explicit fixed_string(std::string_view s) {
        std::copy_n(s.data(), (std::min)(s.size(), N - 1), text);
        text[N - 1] = '\0'; // explicit, or clang prints some lengths as a list of numbers
    }
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

/// `F::name` as a fixed_string of its exact length.
template <class F>
inline constexpr auto name_of = fixed_string<std::string_view(F::name).size() + 1>(std::string_view(F::name));

/// The name of a weight as a type: w["proj_in.weight"_w].
template <fixed_string Text>
struct weight_name {
    static constexpr fixed_string text = Text;
    static constexpr std::string_view view = text.view();
};
template <fixed_string Text>
consteval weight_name<Text> operator""_w() {
    return {};
}

/// Text of at most N - 1 characters; the rest is cut off. Does not allocate.
template <std::size_t N>
struct short_text {
    char text[N]{}; ///< zero-terminated
    std::size_t size = 0;

    constexpr std::string_view view() const noexcept { return {text, size}; }

    /// Appends texts, characters and integers.
    template <class... Parts>
    constexpr void add(const Parts&... parts) noexcept {
        (put(parts), ...);
    }

private:
    constexpr void put(char c) noexcept {
        if (size + 1 < N) text[size++] = c;
    }
    constexpr void put(std::string_view s) noexcept {
        for (const char c : s) put(c);
    }
    template <std::integral Integer>
    constexpr void put(Integer number) noexcept {
        auto n = std::int64_t(number);
        char digits[20]{};
        int count = 0;
        if (n < 0) put('-');
        for (; n != 0 || count == 0; n /= 10) digits[count++] = char('0' + (n < 0 ? -(n % 10) : n % 10));
        while (count > 0) put(digits[--count]);
    }
};

} // namespace apriori
