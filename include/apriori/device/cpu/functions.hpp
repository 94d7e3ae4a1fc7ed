// SPDX-License-Identifier: Apache-2.0
// Functions of vectors that are faster than xsimd's: erf, which gelu spends its time in. docs/devices.md states the errors.
#pragma once

#include "apriori/device/cpu/simd.hpp"

#include <cstddef>
#include <utility>

namespace apriori::detail {

/// c[0] + c[1] x + c[2] x^2 + ...
template <class V, std::size_t N>
APRIORI_INLINE V polynomial(const float (&c)[N], V x) noexcept {
    V y = lanes<V>::set(c[N - 1]);
    [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
        ((y = multiply_add(y, x, lanes<V>::set(c[N - 2 - I]))), ...);
    }
    (std::make_index_sequence<N - 1>{});
    return y;
}

} // namespace apriori::detail

namespace apriori {

/// erf(x) = x P(x^2) / Q(x^2) up to 3.92, a minimax fit, and the sign of x beyond, where 1 - erf is below half an ulp.
template <class Arch>
APRIORI_INLINE simd<Arch> erf(simd<Arch> x) noexcept {
    using V = simd<Arch>;
    constexpr float end = 3.92f;
    const auto set = [](float c) { return lanes<V>::set(c); };
    const V within = fmin(set(end), fmax(set(-end), x));
    const V z = within * within;
    constexpr float p[] = {0x1.20dd74p+0f, 0x1.85edd0p-3f,  0x1.b01a80p-5f,
                           0x1.ed7ef6p-9f, 0x1.2ab32ep-12f, 0x1.1327cap-19f};
    constexpr float q[] = {1.0f, 0x1.010ec8p-1f, 0x1.d35eecp-4f, 0x1.ea79ccp-7f, 0x1.30b6a2p-10f, 0x1.3f86a0p-15f};
    const V y = within * detail::polynomial(p, z) / detail::polynomial(q, z);
    return where_less(x, set(-end), set(-1.0f), where_less(set(end), x, set(1.0f), y));
}

} // namespace apriori
