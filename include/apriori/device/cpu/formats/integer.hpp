// SPDX-License-Identifier: Apache-2.0
// Integer weights with float activations: a word holds several inputs of output j and of output j + panel / 2.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/int_lanes.hpp"
#include "apriori/device/cpu/packed.hpp"

#include <algorithm>
#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// q = round(x / scale), to nearest even, for magnitudes up to scale * Largest.
inline std::uint32_t quantized(float x, float scale) noexcept {
    return scale > 0 ? std::uint32_t(std::int32_t(std::nearbyint(x / scale))) : 0u;
}
inline float largest_magnitude(const float* x, index_t n) noexcept {
    float m = 0;
    for (index_t i = 0; i < n; ++i) m = (std::max)(m, std::fabs(x[i]));
    return m;
}
inline status finite_row(std::span<const float> row) noexcept {
    for (const float x : row)
        if (!is_finite(x)) return status::invalid("pack: a weight is not finite");
    return {};
}

/// w8: scales [P], then words [(k + 1) / 2][P / 2] of bytes: input 2 i of both outputs, input 2 i + 1 of both.
template <class Arch>
struct panel_format<Arch, w8> {
    using V = value_t<Arch>;
    using left = interleaved_rows<Arch>;
    static constexpr index_t P = blocking<Arch>::panel, half = P / 2;
    static_assert(blocking<Arch>::vectors == 2);

    static constexpr index_t panel_bytes(index_t k) { return P * 4 + ceil_div(k, 2) * half * 4; }
    static status representable(std::span<const float> row) noexcept { return finite_row(row); }
    static void store(std::byte* panel, index_t j, index_t k, const float* row) noexcept {
        float* scales = reinterpret_cast<float*>(panel);
        auto* to = reinterpret_cast<std::uint32_t*>(panel) + P + j % half;
        const float scale = row ? largest_magnitude(row, k) / 127.0f : 0.0f;
        scales[j] = scale;
        for (index_t i = 0; i < round_up(k, 2); ++i) {
            const int shift = int(i % 2 * 16 + (j < half ? 0 : 8));
            const std::uint32_t q = row && i < k ? quantized(row[i], scale) & 0xffu : 0u;
            std::uint32_t& word = to[i / 2 * half];
            word = (word & ~(0xffu << shift)) | (q << shift);
        }
    }
    template <class Body>
    static APRIORI_INLINE void multiply(const std::byte* panel, index_t, index_t k0, index_t k1, block_turn block,
                                        Body&& body) noexcept {
        const auto* p = reinterpret_cast<const std::uint32_t*>(panel) + P + k0 / 2 * half;
        slice_prefetch ahead(p, (k1 - k0) / 2, half * 4, block);
        index_t i = k0;
        for (; i + 2 <= k1; i += 2, p += half) {
            ahead.advance();
            const auto x = int_lanes<V>::load(p);
            const V first[2] = {x.left(24).upper_signed(8), x.left(16).upper_signed(8)};
            body(first);
            const V second[2] = {x.left(8).upper_signed(8), x.upper_signed(8)};
            body(second);
        }
        if (i < k1) {
            const auto x = int_lanes<V>::load(p);
            const V last[2] = {x.left(24).upper_signed(8), x.left(16).upper_signed(8)};
            body(last);
        }
    }
    static void finish(const std::byte* panel, index_t, float* tile, index_t rows) noexcept {
        const float* scales = reinterpret_cast<const float*>(panel);
        for (index_t r = 0; r < rows; ++r)
            for_columns<V>(0, P, [&]<class W>(W, index_t c) { store_product<W>(tile + r * P + c, scales + c); });
    }

private:
    template <class W>
    static APRIORI_INLINE void store_product(float* x, const float* y) noexcept {
        cpu_device::store(x, lanes<W>::load(x) * lanes<W>::load(y));
    }
};

/// w4: for each group of inputs its scales [P], then words [group / 4][P / 2] of nibbles: inputs 4 i .. 4 i + 3 of output j,
/// in sequence, then of output j + P / 2.
template <class Arch>
struct panel_format<Arch, w4> {
    using V = value_t<Arch>;
    using left = interleaved_rows<Arch>;
    static constexpr index_t P = blocking<Arch>::panel, half = P / 2, G = w4::group;
    static constexpr index_t group_words = P + G / 4 * half;
    static_assert(blocking<Arch>::vectors == 2 && blocking<Arch>::depth % G == 0);

    static constexpr index_t panel_bytes(index_t k) { return ceil_div(k, G) * group_words * 4; }
    static status representable(std::span<const float> row) noexcept { return finite_row(row); }
    static void store(std::byte* panel, index_t j, index_t k, const float* row) noexcept {
        for (index_t g = 0; g * G < k; ++g) {
            auto* group = reinterpret_cast<std::uint32_t*>(panel) + g * group_words;
            const index_t count = (std::min)(G, k - g * G);
            const float scale = row ? largest_magnitude(row + g * G, count) / 7.0f : 0.0f;
            reinterpret_cast<float*>(group)[j] = scale;
            for (index_t i = 0; i < G; ++i) {
                const int shift = int(i % 4 * 4 + (j < half ? 0 : 16));
                const std::uint32_t q = row && i < count ? quantized(row[g * G + i], scale) & 0xfu : 0u;
                std::uint32_t& word = group[P + i / 4 * half + j % half];
                word = (word & ~(0xfu << shift)) | (q << shift);
            }
        }
    }
    template <class Body>
    static APRIORI_INLINE void multiply(const std::byte* panel, index_t, index_t k0, index_t k1, block_turn block,
                                        Body&& body) noexcept {
        const auto* group = reinterpret_cast<const std::uint32_t*>(panel) + k0 / G * group_words;
        slice_prefetch ahead(group, (k1 - k0) / 4, group_words * 16 / G, block); // a group has G / 4 units
        for (index_t g = k0; g < k1; g += G, group += group_words) {
            const auto* scales = reinterpret_cast<const float*>(group);
            const V scale[2] = {lanes<V>::load(scales), lanes<V>::load(scales + half)};
            const index_t count = (std::min)(G, k1 - g);
            for (index_t i = 0; i < count; i += 4) {
                ahead.advance();
                const auto x = int_lanes<V>::load(group + P + i / 4 * half);
                nibble<0>(x, scale, body);
                if (i + 1 < count) nibble<1>(x, scale, body);
                if (i + 2 < count) nibble<2>(x, scale, body);
                if (i + 3 < count) nibble<3>(x, scale, body);
            }
        }
    }
    static void finish(const std::byte*, index_t, float*, index_t) noexcept {}

private:
    template <int At, class Body>
    static APRIORI_INLINE void nibble(int_lanes<V> x, const V (&scale)[2], Body&& body) noexcept {
        const V w[2] = {x.left(28 - 4 * At).upper_signed(4) * scale[0], x.left(12 - 4 * At).upper_signed(4) * scale[1]};
        body(w);
    }
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
