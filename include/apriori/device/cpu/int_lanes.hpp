// SPDX-License-Identifier: Apache-2.0
// Vectors of 32-bit words beside the vectors of floats, for weights that are narrower than a float: a word holds several,
// which shifts and masks take out.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/simd.hpp"

#include <bit>
#include <cstdint>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// As many 32-bit words as V has floats.
template <class V>
struct int_lanes;

template <>
struct int_lanes<float> {
    using integers = std::int32_t;
    std::uint32_t v;
    static int_lanes load(const std::uint32_t* p) noexcept { return {*p}; }
    static int_lanes set(std::uint32_t x) noexcept { return {x}; }
    static integers load_integers(const std::int32_t* p) noexcept { return *p; }
    static void store_integers(std::int32_t* p, integers x) noexcept { *p = x; }
    static float to_floats(integers x) noexcept { return float(x); }
    integers as_integers() const noexcept { return integers(v); }
    int_lanes left(int bits) const noexcept { return {v << bits}; }
    int_lanes right(int bits) const noexcept { return {v >> bits}; }
    static int_lanes of(float x) noexcept { return {std::bit_cast<std::uint32_t>(x)}; }
    int_lanes masked(std::uint32_t mask) const noexcept { return {v & mask}; }
    int_lanes joined(int_lanes o) const noexcept { return {v | o.v}; }
    int_lanes flipped(int_lanes o) const noexcept { return {v ^ o.v}; }
    float as_floats() const noexcept { return std::bit_cast<float>(v); }
    /// The signed integer in the upper `bits` bits of each lane, as a float.
    float upper_signed(int bits) const noexcept { return float(std::int32_t(v) >> (32 - bits)); }
};

template <class Arch>
struct int_lanes<simd<Arch>> {
    using V = simd<Arch>;
    using batch = xsimd::batch<std::uint32_t, Arch>;
    using integers = xsimd::batch<std::int32_t, Arch>;
    batch v;

    static APRIORI_INLINE int_lanes load(const std::uint32_t* p) noexcept { return {batch::load_unaligned(p)}; }
    static APRIORI_INLINE int_lanes set(std::uint32_t x) noexcept { return {batch(x)}; }
    static APRIORI_INLINE integers load_integers(const std::int32_t* p) noexcept { return integers::load_unaligned(p); }
    static APRIORI_INLINE void store_integers(std::int32_t* p, integers x) noexcept { x.store_unaligned(p); }
    static APRIORI_INLINE V to_floats(integers x) noexcept { return V(xsimd::batch_cast<float>(x)); }
    APRIORI_INLINE integers as_integers() const noexcept { return cast<std::int32_t, integers>(v); }
    APRIORI_INLINE int_lanes left(int bits) const noexcept { return {v << bits}; }
    APRIORI_INLINE int_lanes right(int bits) const noexcept { return {v >> bits}; }
    static APRIORI_INLINE int_lanes of(V x) noexcept { return {cast<std::uint32_t, batch>(x.v)}; }
    APRIORI_INLINE int_lanes masked(std::uint32_t mask) const noexcept { return {v & batch(mask)}; }
    APRIORI_INLINE int_lanes joined(int_lanes o) const noexcept { return {v | o.v}; }
    APRIORI_INLINE int_lanes flipped(int_lanes o) const noexcept { return {v ^ o.v}; }
    APRIORI_INLINE V as_floats() const noexcept { return cast<float, typename V::batch>(v); }
    APRIORI_INLINE V upper_signed(int bits) const noexcept { return to_floats(as_integers() >> (32 - bits)); }

private:
    // xsimd 8 casts to a batch, later ones to its element
    template <class T, class Batch, class From>
    static APRIORI_INLINE Batch cast(From b) noexcept {
        if constexpr (requires { xsimd::bitwise_cast<Batch>(b); })
            return xsimd::bitwise_cast<Batch>(b);
        else
            return xsimd::bitwise_cast<T>(b);
    }
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
