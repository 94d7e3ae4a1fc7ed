// SPDX-License-Identifier: Apache-2.0
// Formats shapes, views and tensors with {fmt} and std::format, whichever are available: `{}` gives the text that
// tensor/print.hpp writes to a std::ostream.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/tensor/print.hpp"

#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <version>
#if __has_include(<fmt/format.h>)
#define APRIORI_HAS_FMT 1
#include <fmt/format.h>
#include <fmt/ranges.h> // treats tensors as ranges, unless that is disabled as below
#else
#define APRIORI_HAS_FMT 0
#endif
#if defined(__cpp_lib_format)
#include <format>
#elif !APRIORI_HAS_FMT
#error "apriori: tensor/fmt.hpp needs {fmt} (Debian: apt install libfmt-dev) or a standard library with <format>"
#endif

namespace apriori::detail {

/// The text that x streams, in the C locale, which formatters use.
std::string stream_text(const auto& x) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out << x;
    return std::move(out).str();
}
/// A library's string formatter, Text, applied to the streamed text, so that padding and alignment work, as in {:>40}.
template <class Text, class View>
struct stream_formatter : Text {
    auto format(const auto& x, auto& context) const {
        const std::string text = stream_text(x);
        return Text::format(View(text.data(), text.size()), context);
    }
};
#if APRIORI_HAS_FMT
using fmt_formatter = stream_formatter<fmt::formatter<fmt::string_view>, fmt::string_view>;
#endif
#if defined(__cpp_lib_format)
using std_formatter = stream_formatter<std::formatter<std::string_view>, std::string_view>;
#endif

} // namespace apriori::detail

#if APRIORI_HAS_FMT
template <apriori::index_t... S>
struct fmt::formatter<apriori::extents<S...>, char> : apriori::detail::fmt_formatter {};
template <class T, class E, apriori::layout L>
struct fmt::formatter<apriori::view<T, E, L>, char> : apriori::detail::fmt_formatter {};
template <class T, class E, class S>
struct fmt::formatter<apriori::tensor<T, E, S>, char> : apriori::detail::fmt_formatter {};
template <class T, class E, apriori::layout L>
struct fmt::range_format_kind<apriori::view<T, E, L>, char>
    : std::integral_constant<fmt::range_format, fmt::range_format::disabled> {};
template <class T, class E, class S>
struct fmt::range_format_kind<apriori::tensor<T, E, S>, char>
    : std::integral_constant<fmt::range_format, fmt::range_format::disabled> {};
#endif
#if defined(__cpp_lib_format)
template <apriori::index_t... S>
struct std::formatter<apriori::extents<S...>, char> : apriori::detail::std_formatter {};
template <class T, class E, apriori::layout L>
struct std::formatter<apriori::view<T, E, L>, char> : apriori::detail::std_formatter {};
template <class T, class E, class S>
struct std::formatter<apriori::tensor<T, E, S>, char> : apriori::detail::std_formatter {};
#endif
