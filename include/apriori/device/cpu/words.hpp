// SPDX-License-Identifier: Apache-2.0
// Vectors of 32-bit words beside the vectors of floats, for weights that are narrower than a float: a word holds several,
// which shifts and masks take out.
#pragma once

#include "apriori/device/cpu/simd.hpp"

#include <bit>
#include <cstdint>

namespace apriori {

/// As many 32-bit words as V has floats.
template <class V>
struct words;

template <>
struct words<float> {
    using integers = std::int32_t;
    std::uint32_t v;
    static words load(const std::uint32_t* p) noexcept { return {*p}; }
    static words set(std::uint32_t x) noexcept { return {x}; }
    static integers load_integers(const std::int32_t* p) noexcept { return *p; }
    static void store_integers(std::int32_t* p, integers x) noexcept { *p = x; }
    static float to_floats(integers x) noexcept { return static_cast<float>(x); }
    integers as_integers() const noexcept { return static_cast<integers>(v); }
    template <int N>
    words left() const noexcept {
        return {v << N};
    }
    template <int N>
    words right() const noexcept {
        return {v >> N};
    }
    static words of(float x) noexcept { return {std::bit_cast<std::uint32_t>(x)}; }
    words masked(std::uint32_t mask) const noexcept { return {v & mask}; }
    words joined(words o) const noexcept { return {v | o.v}; }
    float as_floats() const noexcept { return std::bit_cast<float>(v); }
    /// The signed integer in the upper Bits bits of each word, as a float.
    template <int Bits>
    float upper_signed() const noexcept {
        return static_cast<float>(static_cast<std::int32_t>(v) >> (32 - Bits));
    }
};

template <class Arch>
struct words<simd<Arch>> {
    using V = simd<Arch>;
    using batch = xsimd::batch<std::uint32_t, Arch>;
    using integers = xsimd::batch<std::int32_t, Arch>;
    batch v;

    static APRIORI_INLINE words load(const std::uint32_t* p) noexcept { return {batch::load_unaligned(p)}; }
    static APRIORI_INLINE words set(std::uint32_t x) noexcept { return {batch(x)}; }
    static APRIORI_INLINE integers load_integers(const std::int32_t* p) noexcept { return integers::load_unaligned(p); }
    static APRIORI_INLINE void store_integers(std::int32_t* p, integers x) noexcept { x.store_unaligned(p); }
    static APRIORI_INLINE V to_floats(integers x) noexcept { return V(xsimd::batch_cast<float>(x)); }
    APRIORI_INLINE integers as_integers() const noexcept { return cast<std::int32_t, integers>(v); }
    template <int N>
    APRIORI_INLINE words left() const noexcept {
        return {v << N};
    }
    template <int N>
    APRIORI_INLINE words right() const noexcept {
        return {v >> N};
    }
    static APRIORI_INLINE words of(V x) noexcept { return {cast<std::uint32_t, batch>(x.v)}; }
    APRIORI_INLINE words masked(std::uint32_t mask) const noexcept { return {v & batch(mask)}; }
    APRIORI_INLINE words joined(words o) const noexcept { return {v | o.v}; }
    APRIORI_INLINE V as_floats() const noexcept { return cast<float, typename V::batch>(v); }
    template <int Bits>
    APRIORI_INLINE V upper_signed() const noexcept {
        return to_floats(as_integers() >> (32 - Bits));
    }

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

} // namespace apriori
