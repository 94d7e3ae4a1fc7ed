// SPDX-License-Identifier: Apache-2.0
// Functions of vectors: exp, which dominates softmax, erf, which dominates gelu, and those of timesteps. They are
// faster than xsimd's, and give the same results under -ffast-math. docs/devices.md states the errors.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/int_lanes.hpp"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// c[0] + c[1] x + c[2] x^2 + ...
template <class V, std::size_t N>
APRIORI_EXACT_INLINE V polynomial(const float (&c)[N], V x) noexcept {
    V y = lanes<V>::set(c[N - 1]);
    [&]<std::size_t... Is>(std::index_sequence<Is...>) __attribute__((always_inline)) {
        ((y = multiply_add(y, x, lanes<V>::set(c[N - 2 - Is]))), ...);
    }(std::make_index_sequence<N - 1>{});
    return y;
}

/// e^x = 2^n e^r for x from -88 to 89, with n = round(x / ln 2), r = reduce(n), and e^r by a minimax polynomial. n and
/// 2^n are bits of one sum. Where n is -127, the bits of 2^n are those of 0, and where it is 128, those of infinity.
template <class V, class Reduce>
APRIORI_EXACT_INLINE V exp_of_reduced(V x, Reduce&& reduce) noexcept {
    // 1.5 * 2^23 shifts the bits after the binary point out of a sum; 127 is the exponent of 1
    constexpr float rounding = 0x1.8p23f + 127.0f;
    constexpr float c[] = {1.0f, 1.0f, 0x1.000002p-1f, 0x1.5553c0p-3f, 0x1.55515cp-5f, 0x1.1290a4p-7f, 0x1.709c9cp-10f};
    const V sum = multiply_add(x, lanes<V>::set(0x1.715476p+0f), lanes<V>::set(rounding));
    const V r = reduce(sum - lanes<V>::set(rounding));
    return polynomial(c, r) * int_lanes<V>::of(sum).left(23).as_floats();
}

template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> exp(simd<Arch> x) noexcept {
    using V = simd<Arch>;
    const auto set = [](float c) { return lanes<V>::set(c); };
    const V within = fmin(set(89.0f), fmax(set(-88.0f), x));
    // ln 2 in two parts; the first has nine bits, so its product with n is exact
    return exp_of_reduced(within, [&](V n) __attribute__((always_inline)) {
        return multiply_add(n, set(0x1.bd0106p-13f), multiply_add(n, set(-0x1.63p-1f), within));
    });
}

/// e^x, where x is the difference of a number and one that is not smaller. ln 2 is one float, which adds less to the
/// error than the rounding of x did.
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> exp_of_difference(simd<Arch> x) noexcept {
    using V = simd<Arch>;
    const V within = fmax(lanes<V>::set(-88.0f), x);
    return exp_of_reduced(within, [&](V n) __attribute__((always_inline)) {
        return multiply_add(n, lanes<V>::set(-0x1.62e430p-1f), within);
    });
}
APRIORI_INLINE float exp_of_difference(float x) noexcept { return std::exp(x); }

/// erf(x) = x P(x^2) / Q(x^2) up to 3.92, a minimax fit, and the sign of x beyond, where 1 - erf is below half an ulp.
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> erf(simd<Arch> x) noexcept {
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

template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> abs(simd<Arch> x) noexcept {
    return int_lanes<simd<Arch>>::of(x).masked(0x7fffffffU).as_floats();
}
/// A magnitude with the sign of x.
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> with_sign_of(simd<Arch> x, simd<Arch> magnitude) noexcept {
    using Ints = int_lanes<simd<Arch>>;
    return Ints{Ints::of(magnitude).v | (Ints::of(x).v & Ints::set(0x80000000U).v)}.as_floats();
}

/// Whether first <= |x| <= last in all lanes. Compares bits, which are ordered as the
/// magnitudes are; false where one is NaN.
template <class Arch>
APRIORI_EXACT_INLINE bool all_between(simd<Arch> x, std::uint32_t first, std::uint32_t last) noexcept {
    using Ints = int_lanes<simd<Arch>>;
    const auto bits = Ints::of(x).masked(0x7fffffffU).v;
    return all(bits - Ints::set(first).v <= Ints::set(last - first).v);
}

/// y, but f(x) in each lane where the bits of x, after the mask, are not from first to last. Lane by lane, so that the
/// result does not depend on which elements share a register.
template <class Arch>
APRIORI_NOINLINE simd<Arch> with_other_lanes(simd<Arch> x, simd<Arch> y, std::uint32_t mask, std::uint32_t first,
                                             std::uint32_t last, float (*f)(float)) noexcept {
    constexpr index_t L = lanes<simd<Arch>>::count;
    float in[to_size(L)], out[to_size(L)];
    lanes<simd<Arch>>::store(in, x);
    lanes<simd<Arch>>::store(out, y);
    for (std::size_t i = 0; i < to_size(L); ++i)
        if ((std::bit_cast<std::uint32_t>(in[i]) & mask) - first > last - first) out[i] = f(in[i]);
    return lanes<simd<Arch>>::load(out);
}

/// The sine of x, or the cosine if `quarters` is 1, for |x| <= 4096: x = n pi/2 + r, and a polynomial in r for each.
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> sine_of_reduced(simd<Arch> x, std::uint32_t quarters) noexcept {
    using V = simd<Arch>;
    using Ints = int_lanes<V>;
    const auto set = [](float c) { return lanes<V>::set(c); };
    constexpr float rounding = 0x1.8p23f;
    const V sum = multiply_add(x, set(0x1.45f306p-1f), set(rounding)), n = sum - set(rounding);
    // pi / 2 in parts of 8, 12 and 24 bits: the products of n with the first two are exact
    const V r = multiply_add(n, set(-0x1.4442d2p-24f),
                             multiply_add(n, set(-0x1.fb4p-12f), multiply_add(n, set(-0x1.92p+0f), x)));
    const V z = r * r;
    constexpr float s[] = {-1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f};
    constexpr float c[] = {4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f};
    const V sine = multiply_add(r * z, polynomial(s, z), r);
    const V cosine = multiply_add(z * z, polynomial(c, z), multiply_add(z, set(-0.5f), set(1.0f)));
    const auto quadrant = Ints::of(sum).v + Ints::set(quarters).v;
    const auto odd = Ints::set(0).v - (quadrant & Ints::set(1).v); // all ones: the cosine of r
    const auto bits = Ints::of(sine).v ^ (odd & (Ints::of(sine).v ^ Ints::of(cosine).v));
    return Ints{bits ^ ((quadrant & Ints::set(2).v) << 30)}.as_floats();
}
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> sin(simd<Arch> x) noexcept {
    const simd<Arch> y = sine_of_reduced(x, 0);
    if (all_between(x, 0, 0x45800000U)) return y;
    return with_other_lanes(x, y, 0x7fffffffU, 0, 0x45800000U, +[](float a) { return std::sin(a); });
}
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> cos(simd<Arch> x) noexcept {
    const simd<Arch> y = sine_of_reduced(x, 1);
    if (all_between(x, 0, 0x45800000U)) return y;
    return with_other_lanes(x, y, 0x7fffffffU, 0, 0x45800000U, +[](float a) { return std::cos(a); });
}

/// log x = e ln 2 + log m with m from sqrt(1/2) to sqrt 2, for normal x above 0 (Moshier's Cephes, logf).
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> log(simd<Arch> x) noexcept {
    using V = simd<Arch>;
    using Ints = int_lanes<V>;
    const auto set = [](float c) { return lanes<V>::set(c); };
    const auto bits = Ints::of(x).v;
    // 0x3f3504f3 is sqrt(1/2): the bits above it go into the exponent, those below into the mantissa
    const auto exponent = typename Ints::batch(bits - Ints::set(0x3f3504f3U).v) & Ints::set(0xff800000U).v;
    const V e = Ints{exponent}.upper_signed(9);
    const V f = Ints{bits - exponent}.as_floats() - set(1.0f), z = f * f;
    constexpr float c[] = {3.3333331174e-1f,  -2.4999993993e-1f, 2.0000714765e-1f,  -1.6668057665e-1f, 1.4249322787e-1f,
                           -1.2420140846e-1f, 1.1676998740e-1f,  -1.1514610310e-1f, 7.0376836292e-2f};
    const V tail = multiply_add(f * z, polynomial(c, f), e * set(-2.12194440e-4f)) - set(0.5f) * z;
    const V y = multiply_add(e, set(0.693359375f), f + tail);
    if (all(bits - Ints::set(0x00800000U).v < Ints::set(0x7f000000U).v)) return y;
    return with_other_lanes(x, y, 0xffffffffU, 0x00800000U, 0x7f7fffffU, +[](float a) { return std::log(a); });
}

/// tanh x: an odd polynomial up to 0.625, then 1 - 2 / (e^(2 |x|) + 1) with the sign of x (Cephes, tanhf).
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> tanh(simd<Arch> x) noexcept {
    using V = simd<Arch>;
    const auto set = [](float c) { return lanes<V>::set(c); };
    const V magnitude = abs(x), z = x * x;
    constexpr float c[] = {-3.33332819422e-1f, 1.33314422036e-1f, -5.37397155531e-2f, 2.06390887954e-2f,
                           -5.70498872745e-3f};
    const V inner = multiply_add(x * z, polynomial(c, z), x);
    const V outer = set(1.0f) - set(2.0f) / (exp(magnitude + magnitude) + set(1.0f));
    return where_less(magnitude, set(0.625f), inner, with_sign_of(x, outer));
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
