// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace apriori {

/// Extents, strides and counts: signed, so that differences are what they look like.
using index_t = std::ptrdiff_t;

/// The smallest multiple of `step` that is not below `n`.
constexpr index_t round_up(index_t n, index_t step) noexcept { return (n + step - 1) / step * step; }

} // namespace apriori
