// SPDX-License-Identifier: Apache-2.0
// Signed extents and indices, and conversions to the standard library's unsigned ones.
#pragma once

#include "apriori/core/macros.hpp"

#include <concepts>
#include <cstddef>
#include <span>

namespace apriori {

/// Extents, strides and counts. Signed, so that differences can be negative.
using index_t = std::ptrdiff_t;

/// n / d, rounded up, for n >= 0.
APRIORI_HD constexpr index_t ceil_div(index_t n, index_t d) noexcept { return (n + d - 1) / d; }
/// The smallest multiple of `step` that is not below `n`.
APRIORI_HD constexpr index_t round_up(index_t n, index_t step) noexcept { return ceil_div(n, step) * step; }

/// A non-negative count as the standard library's unsigned type.
APRIORI_HD constexpr std::size_t to_size(std::integral auto n) noexcept { return static_cast<std::size_t>(n); }

/// Element i of a container; unchecked.
template <class Container>
constexpr decltype(auto) at(Container&& c, std::integral auto i) noexcept {
    return c[to_size(i)];
}
/// Elements first .. first + count of a vector, an array or a span, as a span; unchecked.
constexpr auto part(auto&& c, index_t first, index_t count) noexcept {
    return std::span(c.data(), c.size()).subspan(to_size(first), to_size(count));
}

} // namespace apriori
