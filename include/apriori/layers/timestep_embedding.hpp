// SPDX-License-Identifier: Apache-2.0
// The sinusoidal embedding of timesteps (Vaswani et al. 2017): diffusers' Timesteps(dim, flip_sin_to_cos=True, 0).
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/lower.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Frequency i of `half`: exp(-ln(10000) i / half), with float32 operations in torch's order.
inline float timestep_frequency(index_t i, index_t half) {
    return std::exp(-9.210340371976184f * float(i) / float(half));
}

/// out [rows, Dim] = [cos(t f), sin(t f), 0 if Dim is odd] for timesteps t [rows, 1] and frequencies f [Dim / 2].
template <class Context, class Out, class T, class F>
constexpr void embed_timesteps(Context& to, const Out& out, const T& t, const F& frequencies) {
    constexpr index_t dim = extents_of<Out>::fixed(1), half = dim / 2;
    if constexpr (half > 0) {
        to(slice<1, half>(out, 0)) = cos(t * frequencies);
        to(slice<1, half>(out, half)) = sin(t * frequencies);
    }
    if constexpr (dim % 2 != 0) to(slice<1, 1>(out, dim - 1)) = 0.0f;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
