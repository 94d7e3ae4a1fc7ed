// SPDX-License-Identifier: Apache-2.0
// Functions of vectors that no model spends its time in: rounding to integers by a few instructions, the others lane by lane by
// the C library's.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/functions.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The nearest integer, of two the even one: adding 2^23 leaves no bits behind the point.
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> nearbyint(simd<Arch> x) noexcept {
    const simd<Arch> magnitude = abs(x), whole = lanes<simd<Arch>>::set(0x1p23f);
    return where_less(magnitude, whole, with_sign_of(x, (magnitude + whole) - whole), x);
}
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> floor(simd<Arch> x) noexcept {
    const simd<Arch> nearest = nearbyint(x);
    return where_less(x, nearest, nearest - lanes<simd<Arch>>::set(1.0f), nearest);
}
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> ceil(simd<Arch> x) noexcept {
    const simd<Arch> nearest = nearbyint(x);
    return where_less(nearest, x, nearest + lanes<simd<Arch>>::set(1.0f), nearest);
}
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> trunc(simd<Arch> x) noexcept {
    return where_less(x, lanes<simd<Arch>>::set(0.0f), ceil(x), floor(x));
}

// clang-format off
template <class Arch> simd<Arch> acos(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::acos(a); }); }
template <class Arch> simd<Arch> asin(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::asin(a); }); }
template <class Arch> simd<Arch> atan(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::atan(a); }); }
template <class Arch> simd<Arch> cbrt(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::cbrt(a); }); }
template <class Arch> simd<Arch> cosh(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::cosh(a); }); }
template <class Arch> simd<Arch> exp2(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::exp2(a); }); }
template <class Arch> simd<Arch> expm1(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::expm1(a); }); }
template <class Arch> simd<Arch> log1p(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::log1p(a); }); }
template <class Arch> simd<Arch> log2(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::log2(a); }); }
template <class Arch> simd<Arch> sinh(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::sinh(a); }); }
template <class Arch> simd<Arch> tan(simd<Arch> x) noexcept { return lane_by_lane(x, [](float a) { return std::tan(a); }); }
template <class Arch> simd<Arch> atan2(simd<Arch> x, simd<Arch> y) noexcept { return lane_by_lane(x, y, [](float a, float b) { return std::atan2(a, b); }); }
template <class Arch> simd<Arch> fmod(simd<Arch> x, simd<Arch> y) noexcept { return lane_by_lane(x, y, [](float a, float b) { return std::fmod(a, b); }); }
template <class Arch> simd<Arch> pow(simd<Arch> x, simd<Arch> y) noexcept { return lane_by_lane(x, y, [](float a, float b) { return std::pow(a, b); }); }
// clang-format on

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
