// SPDX-License-Identifier: Apache-2.0
// Weights in 16-bit floats: a word holds two inputs of an output, the first in its lower half.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/int_lanes.hpp"
#include "apriori/device/cpu/packed.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Both 16-bit formats. Codec converts between floats and bits.
template <class Arch, class Codec>
struct half_panel {
    using V = value_t<Arch>;
    using left = interleaved_rows<Arch>;
    static constexpr index_t P = blocking<Arch>::panel, half = P / 2;
    static_assert(blocking<Arch>::vectors == 2);

    /// Words [pairs][P], zeros after the last input: a matrix unit takes 16 pairs at a time.
    static constexpr index_t pairs(index_t k) { return round_up(k, 32) / 2; }
    static constexpr index_t panel_bytes(index_t k) { return pairs(k) * P * 4; }
    static void store_scale(std::byte*, index_t, index_t, const float*) noexcept {}
    static void store(std::byte* panel, index_t j, index_t k, const float* row, index_t k0) noexcept {
        auto* to = reinterpret_cast<std::uint32_t*>(panel) + j;
        std::uint32_t bits[to_size(store_slice)] = {};
        for (index_t i = 0; row && i < (std::min)(store_slice, k - k0); ++i) bits[i] = Codec::encode(row[k0 + i]);
        for (index_t i = 0; i < (std::min)(store_slice / 2, pairs(k) - k0 / 2); ++i)
            to[(k0 / 2 + i) * P] = bits[2 * i] | bits[2 * i + 1] << 16;
    }
    template <class Body>
    static APRIORI_INLINE void multiply(const std::byte* panel, index_t, index_t k0, index_t k1, block_turn block,
                                        Body&& body) noexcept {
        const auto* p = reinterpret_cast<const std::uint32_t*>(panel) + k0 / 2 * P;
        slice_prefetch ahead(p, ceil_div(k1 - k0, 2), P * 4, block);
        for (index_t i = k0; i < k1; i += 2, p += P) {
            ahead.advance();
            const auto a = int_lanes<V>::load(p), b = int_lanes<V>::load(p + half);
            const V first[2] = {Codec::template upper<V>(a.left(16)), Codec::template upper<V>(b.left(16))};
            body(first);
            if (i + 1 == k1) break;
            const V second[2] = {Codec::template upper<V>(a.masked(0xffff0000u)),
                                 Codec::template upper<V>(b.masked(0xffff0000u))};
            body(second);
        }
    }
    static void finish(const std::byte*, index_t, float*, index_t) noexcept {}
};

struct bf16_codec {
    static std::uint32_t encode(float x) noexcept { return float_to_bfloat16(x); }
    /// The float of the upper half of each word; the lower half is zero.
    template <class V>
    static APRIORI_INLINE V upper(int_lanes<V> x) noexcept {
        return x.as_floats();
    }
};
struct f16_codec {
    static std::uint32_t encode(float x) noexcept { return float_to_half(x); }
    /// Exponent and fraction, shifted right by three bits, are a float that is too small by 2^112; the product
    /// is right for subnormals, too.
    template <class V>
    static APRIORI_INLINE V upper(int_lanes<V> x) noexcept {
        const V magnitude = x.masked(0x7fff0000u).right(3).as_floats() * lanes<V>::set(0x1p112f);
        return int_lanes<V>::of(magnitude).joined(x.masked(0x80000000u)).as_floats();
    }
};

template <class Arch>
struct panel_format<Arch, f16> : half_panel<Arch, f16_codec> {};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
