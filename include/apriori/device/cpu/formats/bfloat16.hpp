// SPDX-License-Identifier: Apache-2.0
// Weights in bfloat16, with activations in float or also rounded to bfloat16.
//
// A matrix unit multiplies only bfloat16. A float is exactly the sum of three of them: the first eight binary digits,
// the next eight, and the rest. So activations that stay floats are three terms, and take three times the products.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot/avx512bf16.hpp"
#include "apriori/device/cpu/dot/bfdot_arm.hpp"
#include "apriori/device/cpu/panel_product.hpp"
#include "apriori/device/cpu/tiles.hpp"
#include "apriori/device/cpu/word_product.hpp"

#include <cstring>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Whether V has an instruction that multiplies pairs of bfloat16.
template <class V>
inline constexpr bool has_bfloat16_dot = false;
template <class Arch>
requires(has_bfloat16_pairs<simd<Arch>::size>)
inline constexpr bool has_bfloat16_dot<simd<Arch>> = true;

/// x rounded to bfloat16: to nearest, halves to even. A NaN stays one.
APRIORI_INLINE float rounded_to_bfloat16(float x) noexcept { return bfloat16_to_float(float_to_bfloat16(x)); }
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> rounded_to_bfloat16(simd<Arch> x) noexcept {
    using words = int_lanes<simd<Arch>>;
    const words bits = words::of(x), last = bits.right(16).masked(1u);
    const words rounded{bits.v + last.v + words::set(0x7fffu).v};
    return where_equal(x, x, rounded.masked(0xffff0000u).as_floats(), x + x);
}
/// The same, stored at `to` and returned as floats; subnormals may become zero.
template <class Arch>
APRIORI_INLINE simd<Arch> store_rounded(std::byte* to, simd<Arch> x) noexcept {
    constexpr index_t L = lanes<simd<Arch>>::count;
    if constexpr (has_bfloat16_dot<simd<Arch>>)
        return simd<Arch>(typename simd<Arch>::batch(store_bfloat16(to, x.v)));
    else {
        const simd<Arch> rounded = rounded_to_bfloat16(x);
        float all[to_size(L)];
        std::uint16_t upper[to_size(L)];
        store(all, rounded);
        for (index_t i = 0; i < L; ++i) upper[i] = std::uint16_t(std::bit_cast<std::uint32_t>(all[i]) >> 16);
        std::memcpy(to, upper, sizeof(upper));
        return rounded;
    }
}
/// x as one term, rounded.
inline void split(const float (&x)[left_slice], std::uint16_t (&to)[1][left_slice]) noexcept {
    for (index_t j = 0; j < left_slice; ++j) to[0][j] = float_to_bfloat16(x[j]);
}
/// x as the sum of three terms, truncated rather than rounded, so that nothing overflows. A matrix unit
/// treats terms below 2^-126 as zero.
inline void split(const float (&x)[left_slice], std::uint16_t (&to)[3][left_slice]) noexcept {
    float rest[left_slice];
    const auto upper = [](float v) { return std::uint16_t(std::bit_cast<std::uint32_t>(v) >> 16); };
    for (index_t j = 0; j < left_slice; ++j) {
        to[0][j] = upper(x[j]);
        rest[j] = behind_bfloat16(x[j]);
    }
    for (index_t j = 0; j < left_slice; ++j) {
        to[1][j] = upper(rest[j]);
        to[2][j] = upper(rest[j] - cut_to_bfloat16(rest[j]));
    }
}

/// The left operand of a contraction as `Terms` terms for a matrix unit.
template <class Arch, class Unit, int Terms>
class bfloat16_rows {
    using layout = tiled_left<Arch, Unit, bfloat16_tiles<Terms>>;

public:
    static constexpr index_t max_chunk = layout::max_chunk;
    static constexpr index_t fewest = 1; // a sum depends on the unit, so it must not depend on the number of rows
    static constexpr std::size_t bytes(index_t rows, index_t k) { return layout::bytes(rows, k); }
    bfloat16_rows(std::byte* memory, index_t rows, index_t k) noexcept : tiles_(memory, rows, k), k_(k) {}

    index_t block() const noexcept { return 8; }
    index_t chunk(index_t) const noexcept { return tiles_.chunk(); }
    index_t passes() const noexcept { return tiles_.passes(); }
    float* sums(index_t t) const noexcept { return tiles_.sums(t); }
    static constexpr std::size_t sum_bytes(index_t rows, index_t n, index_t k) { return layout::sum_bytes(rows, n, k); }
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        using V = value_t<Arch>;
        for (index_t r = first; r < last; ++r) {
            const auto stats = prepare_row<V>(in, r, k_);
            std::byte* to[to_size(Terms)];
            for (int t = 0; t < Terms; ++t) to[t] = tiles_.row_at(r, t);
            for (index_t c = 0; c < k_; c += left_slice) {
                float part[left_slice] = {};
                fill_row<V>(in, r, stats, c, (std::min)(c + left_slice, k_), part);
                std::uint16_t terms[to_size(Terms)][to_size(left_slice)];
                split(part, terms);
                for (int t = 0; t < Terms; ++t)
                    for (index_t i = 0; i < left_slice && c + i < k_; i += layout::depth)
                        std::memcpy(to[t] + (c + i) / layout::depth * tile_bytes, terms[t] + i,
                                    to_size(tile_row_bytes));
            }
        }
    }
    void multiply(index_t first, index_t count, const auto& w, index_t p, float* tile,
                  index_t pass = 0) const noexcept {
        constexpr index_t P = blocking<Arch>::panel;
        if constexpr (Terms == 1)
            tiles_.multiply(first, count, w.panel_at(p), tile, pass > 0, pass);
        else {
            alignas(buffer_alignment) float sums[layout::max_sums * P];
            tiles_.multiply(first, count, w.panel_at(p), sums);
            using V = value_t<Arch>;
            for (index_t i = 0; i < count * P; i += lanes<V>::count) { // the smallest terms first
                V sum = lanes<V>::load(sums + (Terms - 1) * count * P + i);
                for (int t = Terms - 2; t >= 0; --t) sum = sum + lanes<V>::load(sums + t * count * P + i);
                store(tile + i, sum);
            }
        }
    }

private:
    layout tiles_;
    index_t k_;
};

/// The left operand rounded to bfloat16 where no instruction for it is available: as floats.
template <class Arch>
class rounded_rows : public interleaved_rows<Arch> {
public:
    using interleaved_rows<Arch>::interleaved_rows;
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        interleaved_rows<Arch>::fill(in, first, last);
        for (float& x : this->values(first, last)) x = bfloat16_to_float(float_to_bfloat16(x));
    }
};

/// Products of pairs of bfloat16 with that instruction.
template <class V>
struct bfloat16_dot;
template <class Arch>
requires(has_bfloat16_pairs<simd<Arch>::size>)
struct bfloat16_dot<simd<Arch>> : float_sums<simd<Arch>> {
    using V = simd<Arch>;
    using weights = int_lanes<V>;
    static constexpr int left_words = 1;
    static APRIORI_INLINE weights prepare(weights w) noexcept { return w; }
    static APRIORI_INLINE V add(V sum, const std::uint32_t* pair, weights w) noexcept {
        return V(typename V::batch(add_bfloat16_pairs(sum.v, weights::set(*pair).v, w.v)));
    }
};

/// The left operand rounded to bfloat16, as words of two inputs, in blocks as described in panel_product.hpp.
template <class Arch>
class paired_rows {
public:
    static constexpr index_t max_chunk = blocking<Arch>::chunk;
    static constexpr std::size_t bytes(index_t rows, index_t k) { return to_size(rows * format::pairs(k)) * 4; }
    paired_rows(std::byte* memory, index_t rows, index_t k) noexcept
        : words_(reinterpret_cast<std::uint32_t*>(memory)), k_(k), block_(even_block<Arch>(rows)) {}

    using session = no_session;
    index_t block() const noexcept { return block_; }
    index_t chunk(index_t n) const noexcept { return chunk_of_blocks<Arch>(block_, n, k_); }
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        for_each_row_of_blocks(first, last, block_, [&](index_t r, index_t block, index_t m, index_t i) {
            fill_row_of_block(in, r, words_ + block * format::pairs(k_), m, i);
        });
    }
    void multiply(index_t first, index_t count, const auto& w, index_t p, float* tile) const noexcept {
        const index_t pairs = format::pairs(k_);
        multiply_word_blocks<Arch, bfloat16_dot<V>>(words_ + first * pairs, count, block_,
                                                    reinterpret_cast<const std::uint32_t*>(w.panel_at(p)), pairs, tile);
    }

private:
    using V = value_t<Arch>;
    using format = panel_format<Arch, bf16>;
    void fill_row_of_block(const auto& in, index_t r, std::uint32_t* to, index_t m, index_t i) const noexcept {
        const auto stats = prepare_row<V>(in, r, k_);
        for (index_t c = 0; c < 2 * format::pairs(k_); c += left_slice) {
            float part[left_slice] = {};
            if (c < k_) fill_row<V>(in, r, stats, c, (std::min)(c + left_slice, k_), part);
            std::uint16_t rounded[1][left_slice];
            split(part, rounded);
            for (index_t q = 0; q < left_slice / 2 && c / 2 + q < format::pairs(k_); ++q)
                std::memcpy(to + (c / 2 + q) * m + i, rounded[0] + 2 * q, 4);
        }
    }

    std::uint32_t* words_;
    index_t k_, block_;
};

template <class Arch>
struct panel_format<Arch, bf16> : half_panel<Arch, bf16_codec> {
    using left = left_for_unit<Arch, bfloat16_rows<Arch, matrix_unit<Arch>, 3>, interleaved_rows<Arch>>;
};
template <class Arch>
struct panel_format<Arch, bf16a16> : half_panel<Arch, bf16_codec> {
    // where there is a matrix unit, the instruction for pairs has half the speed of multiply-adds
    static constexpr bool by_pairs = has_bfloat16_dot<value_t<Arch>> && !has_matrix_unit<Arch>;
    using plain = std::conditional_t<by_pairs, paired_rows<Arch>, rounded_rows<Arch>>;
    using left = left_for_unit<Arch, bfloat16_rows<Arch, matrix_unit<Arch>, 1>, plain>;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
