// SPDX-License-Identifier: Apache-2.0
// Integer weights of eight bits. A weight's byte is its integer + 128, so that instructions that multiply unsigned with
// signed bytes can be used. What that adds to a sum, 128 times the sum of the row's integers, is subtracted at the end.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/quantization.hpp"
#include "apriori/device/cpu/panel_product.hpp"
#include "apriori/device/cpu/quantized_rows.hpp"

#include <array>
#include <cstring>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Scales [P], then words [quads][P], a word being four inputs of an output. Integers after the last input are 0, since
/// matrix units take 16 quads at a time.
template <class Arch>
struct byte_panel {
    using V = value_t<Arch>;
    static constexpr index_t P = blocking<Arch>::panel, half = P / 2;
    static constexpr int zero = 128;
    static_assert(blocking<Arch>::vectors == 2);

    static constexpr index_t quads(index_t k) { return round_up(k, 64) / 4; }
    static constexpr index_t panel_bytes(index_t k) { return P * 4 + quads(k) * P * 4; }
    static const float* scales(const std::byte* panel) noexcept { return reinterpret_cast<const float*>(panel); }
    static const std::uint32_t* words_of(const std::byte* panel) noexcept {
        return reinterpret_cast<const std::uint32_t*>(panel) + P;
    }
    static void store_scale(std::byte* panel, index_t j, index_t k, const float* row) noexcept {
        reinterpret_cast<float*>(panel)[j] = row ? detail::largest_magnitude(row, k) / 127.0f : 0.0f;
    }
    static void store(std::byte* panel, index_t j, index_t k, const float* row, index_t k0) noexcept {
        static_assert(store_slice == 64); // inputs are padded to this, too
        const float scale = scales(panel)[j];
        std::array<std::uint8_t, to_size(store_slice)> bytes;
        bytes.fill(zero);
        if (row)
            for (index_t i = 0; i < (std::min)(store_slice, k - k0); ++i)
                at(bytes, i) = std::uint8_t(detail::nearest_byte(row[k0 + i], scale) + zero);
        auto* to = reinterpret_cast<std::uint32_t*>(panel) + P + j;
        for (index_t q = 0; q < store_slice / 4; ++q) std::memcpy(to + (k0 / 4 + q) * P, bytes.data() + 4 * q, 4);
    }
    template <class Body>
    static APRIORI_INLINE void multiply(const std::byte* panel, index_t, index_t k0, index_t k1, block_turn block,
                                        Body&& body) noexcept {
        const auto* p = words_of(panel) + k0 / 4 * P;
        slice_prefetch ahead(p, ceil_div(k1 - k0, 4), P * 4, block);
        for (index_t i = k0; i < k1; i += 4, p += P) {
            ahead.advance();
            const auto flip = int_lanes<V>::set(0x80808080u); // to signed bytes
            const auto a = int_lanes<V>::load(p).flipped(flip), b = int_lanes<V>::load(p + half).flipped(flip);
            const auto input = [&](int shift) __attribute__((always_inline)) {
                const V w[2] = {a.left(shift).upper_signed(8), b.left(shift).upper_signed(8)};
                body(w);
            };
            input(24);
            if (i + 1 < k1) input(16);
            if (i + 2 < k1) input(8);
            if (i + 3 < k1) input(0);
        }
    }
    static void finish(const std::byte* panel, index_t, float* tile, index_t rows) noexcept {
        for (index_t r = 0; r < rows; ++r)
            for_columns<V>(0, P, [&]<class W>(W, index_t c) {
                float* x = tile + r * P + c;
                cpu_device::store(x, lanes<W>::load(x) * lanes<W>::load(scales(panel) + c));
            });
    }
};

template <class Arch>
struct panel_format<Arch, w8> : byte_panel<Arch> {
    using left = std::conditional_t<multiplies_bytes<Arch>, quantized_left<Arch, 4>, interleaved_rows<Arch>>;
};
template <class Arch>
struct panel_format<Arch, w8a8> : byte_panel<Arch> {
    using left = quantized_left<Arch, 1>;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
