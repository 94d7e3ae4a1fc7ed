// SPDX-License-Identifier: Apache-2.0
// 16-bit floats: a word holds the weight of output j in its lower half and of output j + panel / 2 in its upper one, so that
// one load gives both vectors of a panel.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/int_lanes.hpp"
#include "apriori/device/cpu/packed.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Both 16-bit formats; Codec says how bits become floats.
template <class Arch, class Codec>
struct half_panel {
    using V = value_t<Arch>;
    using left = interleaved_rows<Arch>;
    static constexpr index_t P = blocking<Arch>::panel, half = P / 2;
    static_assert(blocking<Arch>::vectors == 2);

    static constexpr index_t panel_bytes(index_t k) { return k * half * 4; }
    static status representable(std::span<const float> row) noexcept {
        for (const float x : row)
            if (!(std::fabs(x) <= Codec::largest))
                return status::invalid(std::isfinite(x) ? Codec::too_large : "pack: a weight is not finite");
        return {};
    }
    static void store(std::byte* panel, index_t j, index_t k, const float* row) noexcept {
        auto* to = reinterpret_cast<std::uint32_t*>(panel) + j % half;
        const int shift = j < half ? 0 : 16;
        for (index_t i = 0; i < k; ++i) {
            const std::uint32_t bits = row ? Codec::encode(row[i]) : 0;
            to[i * half] = (to[i * half] & ~(0xffffu << shift)) | (bits << shift);
        }
    }
    template <class Body>
    static APRIORI_INLINE void multiply(const std::byte* panel, index_t, index_t k0, index_t k1, block_turn block,
                                        Body&& body) noexcept {
        const auto* p = reinterpret_cast<const std::uint32_t*>(panel) + k0 * half;
        slice_prefetch ahead(p, k1 - k0, half * 4, block);
        for (index_t i = k0; i < k1; ++i, p += half) {
            ahead.advance();
            const auto x = int_lanes<V>::load(p);
            const V w[2] = {Codec::template upper<V>(x.left(16)), Codec::template upper<V>(x.masked(0xffff0000u))};
            body(w);
        }
    }
    static void finish(const std::byte*, index_t, float*, index_t) noexcept {}
};

struct bf16_codec {
    static constexpr float largest = 3.38e38f; ///< rounds to a finite number
    static constexpr const char* too_large = "pack: a weight is past 3.38e38, which bf16 cannot hold; use f32";
    static std::uint32_t encode(float x) noexcept { return float_to_bfloat16(x); }
    /// The float of the upper half of each word; the lower half is zero.
    template <class V>
    static APRIORI_INLINE V upper(int_lanes<V> x) noexcept {
        return x.as_floats();
    }
};
struct f16_codec {
    static constexpr float largest = 65504.0f;
    static constexpr const char* too_large = "pack: a weight is past 65504, which f16 cannot hold; use bf16 or f32";
    static std::uint32_t encode(float x) noexcept { return float_to_half(x); }
    /// Exponent and fraction three bits to the right are a float too small by 2^112; multiplied, subnormals come out right.
    template <class V>
    static APRIORI_INLINE V upper(int_lanes<V> x) noexcept {
        const V magnitude = x.masked(0x7fff0000u).right(3).as_floats() * lanes<V>::set(0x1p112f);
        return int_lanes<V>::of(magnitude).joined(x.masked(0x80000000u)).as_floats();
    }
};

template <class Arch>
struct panel_format<Arch, bf16> : half_panel<Arch, bf16_codec> {};
template <class Arch>
struct panel_format<Arch, f16> : half_panel<Arch, f16_codec> {};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
