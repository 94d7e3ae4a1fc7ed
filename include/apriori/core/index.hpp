// SPDX-License-Identifier: Apache-2.0
// Signed extents and indices, and how they meet the standard library's unsigned ones.
#pragma once

#include "apriori/core/macros.hpp"

#include <concepts>
#include <cstddef>
#include <span>

namespace apriori {

/// Extents, strides and counts: signed, so that differences are what they look like.
using index_t = std::ptrdiff_t;

/// n / d, rounded up, for n of 0 or more.
APRIORI_HD constexpr index_t ceil_div(index_t n, index_t d) noexcept { return (n + d - 1) / d; }
/// The smallest multiple of `step` that is not below `n`.
APRIORI_HD constexpr index_t round_up(index_t n, index_t step) noexcept { return ceil_div(n, step) * step; }

/// A count that is not negative, as the standard library has it.
APRIORI_HD constexpr std::size_t to_size(std::integral auto n) noexcept { return static_cast<std::size_t>(n); }

/// Element i of a container.
template <class Container>
constexpr decltype(auto) at(Container&& c, std::integral auto i) noexcept {
    return c[to_size(i)];
}
/// Elements first .. first + count of a vector, an array or a span.
constexpr auto part(auto&& c, index_t first, index_t count) noexcept {
    return std::span(c.data(), c.size()).subspan(to_size(first), to_size(count));
}

} // namespace apriori
