// SPDX-License-Identifier: Apache-2.0
// Compile errors for configurations that a model does not support, with the same message as at run time.
#pragma once

#include "apriori/core/field.hpp"

namespace apriori {

/// Fails to compile. The error shows the message in pieces, because compilers truncate long ones.
template <bool Supported, fixed_string... Message>
struct config_error {
    static_assert(Supported,
                  "apriori: the configuration is not supported; the template arguments of config_error say why");
    static constexpr bool ok = Supported;
};

namespace detail {

/// The end of the piece of `text` that begins at `from`: after a word, and after at most 31
/// characters, which clang shows whole.
constexpr std::size_t piece_end(std::string_view text, std::size_t from) noexcept {
    if (text.size() - from <= 31) return text.size();
    const std::size_t blank = text.substr(from, 32).rfind(' ');
    return from + (blank == std::string_view::npos || blank == 0 ? 31 : blank);
}

} // namespace detail

/// True if `Said::text`, which says what is wrong with a configuration, is empty; else a compile error that shows it.
template <class Said, std::size_t From = 0, fixed_string... Pieces>
constexpr bool compiles_unless_said() {
    constexpr std::string_view text = Said::text.view();
    if constexpr (From < text.size()) {
        constexpr std::size_t end = detail::piece_end(text, From), begin = From + (text[From] == ' ' ? 1 : 0);
        return compiles_unless_said<Said, end, Pieces...,
                                    fixed_string<end - begin + 1>(text.substr(begin, end - begin))>();
    } else {
        return config_error<text.empty(), Pieces...>::ok;
    }
}

namespace detail {

template <auto Config>
struct refusal_of {
    static constexpr auto text = refusal(Config);
};

} // namespace detail

/// True for a supported configuration; otherwise a compile error that names the field, its
/// value and the allowed values.
template <auto Config>
constexpr bool validate() {
    return compiles_unless_said<detail::refusal_of<Config>>();
}

namespace detail {

/// The canonical form of a supported configuration.
template <auto Config>
consteval auto checked() {
    static_assert(validate<Config>());
    return canonical(Config);
}

} // namespace detail

} // namespace apriori
