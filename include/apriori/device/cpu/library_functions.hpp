// SPDX-License-Identifier: Apache-2.0
// Rounding of vectors to integers, in a few instructions. Other functions, on which no model spends its time, use the C
// library's lane by lane (expr/lane_math.hpp).
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/functions.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The nearest integer, halves to even: after adding 2^23 no bits are left after the binary point.
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

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
