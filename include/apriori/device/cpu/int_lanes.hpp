// SPDX-License-Identifier: Apache-2.0
// Vectors of 32-bit words, in addition to the vectors of floats, for weights that are narrower than a float: shifts and
// masks extract them from words. Those in registers are in device/cpu/xsimd.hpp.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/simd.hpp"

#include <bit>
#include <cstdint>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

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

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
