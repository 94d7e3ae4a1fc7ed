// SPDX-License-Identifier: Apache-2.0
// Integer weights of four bits, with a scale for each group of inputs.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/quantization.hpp"
#include "apriori/device/cpu/grouped_rows.hpp"
#include "apriori/device/cpu/int_lanes.hpp"
#include "apriori/device/cpu/packed.hpp"

#include <bit>
#include <cstring>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// For each group of 32 inputs: scales [P] in bfloat16, then words [4][P] of eight inputs of an output. A nibble is its
/// integer + 8; the lower nibble of a byte is one of the first four inputs, the upper one of the other four.
template <class Arch>
struct nibble_panel {
    using V = value_t<Arch>;
    static constexpr index_t P = blocking<Arch>::panel, half = P / 2, G = w4::group;
    static constexpr index_t group_words = half + G / 8 * P;
    static_assert(blocking<Arch>::vectors == 2 && blocking<Arch>::depth % G == 0);

    static constexpr index_t groups(index_t k) { return ceil_div(k, G); }
    static constexpr index_t panel_bytes(index_t k) { return groups(k) * group_words * 4; }
    static const std::uint32_t* group_at(const std::byte* panel, index_t g) noexcept {
        return reinterpret_cast<const std::uint32_t*>(panel) + g * group_words;
    }
    static const std::uint32_t* words_of(const std::uint32_t* group) noexcept { return group + half; }
    /// A word holds the scales of outputs j and j + half.
    static APRIORI_INLINE void load_scales(const std::uint32_t* group, V (&scales)[2]) noexcept {
        const auto both = int_lanes<V>::load(group);
        scales[0] = both.left(16).as_floats();
        scales[1] = both.masked(0xffff0000u).as_floats();
    }

    static void store_scale(std::byte*, index_t, index_t, const float*) noexcept {}
    static void store(std::byte* panel, index_t j, index_t k, const float* row, index_t k0) noexcept {
        for (index_t g = k0 / G; g < (std::min)((k0 + store_slice) / G, groups(k)); ++g)
            store_group(reinterpret_cast<std::uint32_t*>(panel) + g * group_words, j, k - g * G,
                        row ? row + g * G : nullptr);
    }
    template <class Body>
    static APRIORI_INLINE void multiply(const std::byte* panel, index_t, index_t k0, index_t k1, block_turn block,
                                        Body&& body) noexcept {
        const auto* group = group_at(panel, k0 / G);
        slice_prefetch ahead(group, ceil_div(k1 - k0, G), group_words * 4, block);
        for (index_t g = k0; g < k1; g += G, group += group_words) {
            ahead.advance();
            V scale[2];
            load_scales(group, scale);
            const index_t count = (std::min)(G, k1 - g);
            for (index_t i = 0; i < count; i += 8) {
                const auto flip = int_lanes<V>::set(0x88888888u); // to signed nibbles
                const std::uint32_t* p = words_of(group) + i / 8 * P;
                const auto a = int_lanes<V>::load(p).flipped(flip), b = int_lanes<V>::load(p + half).flipped(flip);
                for (index_t n = 0; n < (std::min)(count - i, index_t{8}); ++n) {
                    const int shift = int(n < 4 ? 28 - 8 * n : 24 - 8 * (n - 4));
                    const V w[2] = {a.left(shift).upper_signed(4) * scale[0], b.left(shift).upper_signed(4) * scale[1]};
                    body(w);
                }
            }
        }
    }
    static void finish(const std::byte*, index_t, float*, index_t) noexcept {}

private:
    static void store_group(std::uint32_t* group, index_t j, index_t count, const float* from) noexcept {
        float x[to_size(G)] = {};
        for (index_t i = 0; from && i < (std::min)(G, count); ++i) x[i] = from[i];
        const float scale = detail::nibble_scale(x, G);
        // two outputs share a word; only this one's half is written, since other threads may pack other outputs
        const std::uint16_t bits_of_scale = float_to_bfloat16(scale);
        const bool upper = (j >= half) == (std::endian::native == std::endian::little);
        std::memcpy(reinterpret_cast<std::byte*>(group + j % half) + (upper ? 2 : 0), &bits_of_scale, 2);
        for (index_t word = 0; word < G / 8; ++word) {
            std::uint32_t bits = 0;
            for (index_t i = 0; i < 8; ++i) {
                const auto nibble = std::uint32_t(detail::nearest_nibble(x[8 * word + i], scale) + 8);
                bits |= nibble << (i < 4 ? 8 * i : 8 * (i - 4) + 4);
            }
            group[half + word * P + j] = bits;
        }
    }
};

template <class Arch>
struct panel_format<Arch, w4> : nibble_panel<Arch> {
    using left = std::conditional_t<multiplies_bytes<Arch>, grouped_rows<Arch, 3>, interleaved_rows<Arch>>;
};
template <class Arch>
struct panel_format<Arch, w4a8> : nibble_panel<Arch> {
    using left = grouped_rows<Arch, 1>;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
