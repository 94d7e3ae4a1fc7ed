// SPDX-License-Identifier: Apache-2.0
// Convolutions as products of the weights with windows of the input, which are views.
#pragma once

#include "apriori/expr/einsum.hpp"
#include "apriori/expr/generate.hpp"
#include "apriori/expr/rearrange.hpp"

namespace apriori {

/// x [N, C, L] and w [O, C, K] -> [N, O, (L + 2 Padding - K) / Stride + 1]: torch's conv1d, which does not flip w. x is
/// padded with zeros.
template <index_t Stride = 1, index_t Padding = 0, expression X, expression W>
constexpr auto conv1d(X&& x, W&& w) {
    constexpr bool fits = extents_of<X>::rank == 3 && extents_of<W>::rank == 3 && extents_of<W>::fixed(2) != dyn;
    static_assert(fits, "apriori: conv1d: x [N, C, L] and w [O, C, K] have three axes, and K is known to the compiler");
    if constexpr (fits) {
        constexpr index_t K = extents_of<W>::fixed(2);
        if constexpr (Padding > 0)
            return conv1d<Stride>(pad<2, Padding, Padding>(std::forward<X>(x)), std::forward<W>(w));
        else
            return einsum<"nclk,ock->nol">(unfold<2, K, Stride>(std::forward<X>(x)), std::forward<W>(w));
    }
}

/// x [N, C, H, W] and w [O, C, K, J] -> [N, O, (H + 2 Padding - K) / Stride + 1, (W + 2 Padding - J) / Stride + 1]:
/// torch's conv2d.
template <index_t Stride = 1, index_t Padding = 0, expression X, expression W>
constexpr auto conv2d(X&& x, W&& w) {
    using E = extents_of<W>;
    constexpr bool fits = extents_of<X>::rank == 4 && E::rank == 4 && E::fixed(2) != dyn && E::fixed(3) != dyn;
    static_assert(
        fits,
        "apriori: conv2d: x [N, C, H, W] and w [O, C, K, J] have four axes, and K and J are known to the compiler");
    if constexpr (fits) {
        if constexpr (Padding > 0)
            return conv2d<Stride>(pad<3, Padding, Padding>(pad<2, Padding, Padding>(std::forward<X>(x))),
                                  std::forward<W>(w));
        else
            return einsum<"nchwkj,ockj->nohw">(
                unfold<3, E::fixed(3), Stride>(unfold<2, E::fixed(2), Stride>(std::forward<X>(x))), std::forward<W>(w));
    }
}

} // namespace apriori
