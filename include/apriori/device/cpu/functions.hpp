// SPDX-License-Identifier: Apache-2.0
// Functions of vectors that are faster than xsimd's: exp, which softmax spends its time in, and erf, which gelu does.
// docs/devices.md states the errors.
#pragma once

#include "apriori/device/cpu/int_lanes.hpp"

#include <cstddef>
#include <utility>

namespace apriori::cpu_device {

/// c[0] + c[1] x + c[2] x^2 + ...
template <class V, std::size_t N>
APRIORI_INLINE V polynomial(const float (&c)[N], V x) noexcept {
    V y = lanes<V>::set(c[N - 1]);
    [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
        ((y = multiply_add(y, x, lanes<V>::set(c[N - 2 - I]))), ...);
    }(std::make_index_sequence<N - 1>{});
    return y;
}

/// e^x = 2^n e^r for x from -88 to 89 with n = round(x / ln 2) and r = reduce(n), e^r by a minimax polynomial; n and 2^n are bits
/// of one sum. Where n is -127, the bits of 2^n are those of 0, and where it is 128, those of infinity.
template <class V, class Reduce>
APRIORI_INLINE V exp_of_reduced(V x, Reduce&& reduce) noexcept {
    // 1.5 * 2^23 takes the place of a sum's bits behind the point; 127 is the exponent of 1
    constexpr float rounding = 0x1.8p23f + 127.0f;
    constexpr float c[] = {1.0f, 1.0f, 0x1.000002p-1f, 0x1.5553c0p-3f, 0x1.55515cp-5f, 0x1.1290a4p-7f, 0x1.709c9cp-10f};
    const V sum = multiply_add(x, lanes<V>::set(0x1.715476p+0f), lanes<V>::set(rounding));
    const V r = reduce(sum - lanes<V>::set(rounding));
    return polynomial(c, r) * int_lanes<V>::of(sum).left(23).as_floats();
}

template <class Arch>
APRIORI_INLINE simd<Arch> exp(simd<Arch> x) noexcept {
    using V = simd<Arch>;
    const auto set = [](float c) { return lanes<V>::set(c); };
    const V within = fmin(set(89.0f), fmax(set(-88.0f), x));
    // ln 2 in two parts, of which the first has nine bits: its product with n is exact
    return exp_of_reduced(within, [&](V n) __attribute__((always_inline)) {
        return multiply_add(n, set(0x1.bd0106p-13f), multiply_add(n, set(-0x1.63p-1f), within));
    });
}

/// e^x for the difference x of a number and one that is not smaller: with ln 2 as one float, which adds less to the error than
/// the rounding of x did.
template <class Arch>
APRIORI_INLINE simd<Arch> exp_of_difference(simd<Arch> x) noexcept {
    using V = simd<Arch>;
    const V within = fmax(lanes<V>::set(-88.0f), x);
    return exp_of_reduced(within, [&](V n) __attribute__((always_inline)) {
        return multiply_add(n, lanes<V>::set(-0x1.62e430p-1f), within);
    });
}
APRIORI_INLINE float exp_of_difference(float x) noexcept { return std::exp(x); }

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
    const V y = within * polynomial(p, z) / polynomial(q, z);
    return where_less(x, set(-end), set(-1.0f), where_less(set(end), x, set(1.0f), y));
}

} // namespace apriori::cpu_device
