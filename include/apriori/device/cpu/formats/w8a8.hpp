// SPDX-License-Identifier: Apache-2.0
// Integer weights times integer activations. A weight's byte is its integer + 128, so that instructions which multiply unsigned
// with signed bytes serve; what that adds to a sum, 128 times the sum of the row's integers, is taken off at the end.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot.hpp"
#include "apriori/device/cpu/panel_product.hpp"
#include "apriori/device/cpu/tiles.hpp"

#include <cstring>
#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

template <class Arch>
class quantized_rows;
template <class Arch, class Unit>
class quantized_tiles;

/// Scales [P], then words [quads][P], a word being four inputs of an output; integers 0 behind the last input, for matrix units
/// take 16 quads at a time.
template <class Arch>
struct panel_format<Arch, w8a8> {
    using left = left_for_unit<Arch, quantized_tiles<Arch, matrix_unit<Arch>>, quantized_rows<Arch>>;
    static constexpr index_t P = blocking<Arch>::panel;
    static constexpr int zero = 128;

    static constexpr index_t quads(index_t k) { return round_up(k, 64) / 4; }
    static constexpr index_t panel_bytes(index_t k) { return P * 4 + quads(k) * P * 4; }
    static status representable(std::span<const float> row) noexcept {
        if (row.size() > 65536)
            return status::invalid("pack: w8a8 sums at most 65536 inputs in 32 bits; use w8", std::ssize(row), 65536);
        return finite_row(row);
    }
    static const float* scales(const std::byte* panel) noexcept { return reinterpret_cast<const float*>(panel); }
    static const std::uint32_t* words_of(const std::byte* panel) noexcept {
        return reinterpret_cast<const std::uint32_t*>(panel) + P;
    }
    static void store(std::byte* panel, index_t j, index_t k, const float* row) noexcept {
        const float scale = row ? largest_magnitude(row, k) / 127.0f : 0.0f;
        reinterpret_cast<float*>(panel)[j] = scale;
        auto* to = reinterpret_cast<std::uint32_t*>(panel) + P + j;
        for (index_t q = 0; q < quads(k); ++q) {
            std::uint32_t word = 0;
            for (index_t i = 0; i < 4; ++i) {
                const index_t at = 4 * q + i;
                const std::uint32_t value = row && at < k ? quantized(row[at], scale) + zero : zero;
                word |= value << (8 * i);
            }
            to[q * P] = word;
        }
    }
};

/// What rows of integers stand for.
struct quantized_row {
    float scale;
    std::int32_t sum; ///< of the integers
};

/// Row r of a left operand as integers, 64 at a time, zeros behind the last: sink(c, bytes) for inputs c and on. Computes the row
/// twice: once for its largest magnitude, and once to be rounded. A row with a number that is not finite is NaN.
template <class V>
quantized_row quantize_row(const auto& in, index_t r, index_t k, auto&& sink) noexcept {
    constexpr index_t columns = left_slice;
    const auto stats = prepare_row<V>(in, r, k);
    float part[columns];
    std::uint32_t top = 0; // of the magnitudes' bits, which are ordered as the magnitudes are
    for (index_t c = 0; c < k; c += columns) {
        const index_t count = (std::min)(k - c, columns);
        fill_row<V>(in, r, stats, c, c + count, part);
        for (index_t j = 0; j < count; ++j) top = (std::max)(top, std::bit_cast<std::uint32_t>(part[j]) & 0x7fffffffu);
    }
    const bool finite = top < 0x7f800000u;
    const float largest = std::bit_cast<float>(top);
    const float inverse = top > 0 && finite ? 127.0f / largest : 0.0f;
    std::int32_t sum = 0;
    for (index_t c = 0; c < k; c += columns) {
        const index_t count = (std::min)(k - c, columns);
        fill_row<V>(in, r, stats, c, c + count, part);
        std::array<std::int8_t, columns> bytes{};
        for (index_t j = 0; j < count; ++j) {
            // 1.5 * 2^23 leaves the rounded integer in the low bits
            at(bytes, j) = std::int8_t(std::bit_cast<std::uint32_t>(part[j] * inverse + 0x1.8p23f) & 0xffu);
            sum += at(bytes, j);
        }
        sink(c, bytes);
    }
    return {finite ? largest / 127.0f : std::numeric_limits<float>::quiet_NaN(), sum};
}

/// Sums of integers to floats, in place: tile [count][panel].
template <class Arch>
void scale_sums(const std::byte* panel, const quantized_row* rows, index_t count, float* tile) noexcept {
    using format = panel_format<Arch, w8a8>;
    using V = value_t<Arch>;
    constexpr index_t P = format::P;
    const auto* sums = reinterpret_cast<const std::int32_t*>(tile);
    for (index_t r = 0; r < count; ++r) {
        const std::int32_t offset = -format::zero * rows[r].sum;
        for_columns<V>(0, P, [&]<class W>(W, index_t c) {
            const auto sum = int_lanes<W>::load_integers(sums + r * P + c) + typename int_lanes<W>::integers(offset);
            const W scale = lanes<W>::load(format::scales(panel) + c) * lanes<W>::set(rows[r].scale);
            store(tile + r * P + c, int_lanes<W>::to_floats(sum) * scale);
        });
    }
}

/// The left operand of a contraction in bytes: rows [rows, k] as integers, in blocks as panel_product.hpp describes.
template <class Arch>
class quantized_rows {
public:
    static constexpr index_t max_chunk = blocking<Arch>::chunk;
    static constexpr std::size_t bytes(index_t rows, index_t k) {
        return to_size(rows) * (sizeof(quantized_row) + 4 * to_size(row_words(k)));
    }
    quantized_rows(std::byte* memory, index_t rows, index_t k) noexcept
        : rows_(reinterpret_cast<quantized_row*>(memory)),
          words_(reinterpret_cast<std::uint32_t*>(rows_ + rows)),
          k_(k),
          block_(even_block<Arch>(rows)) {}

    using session = no_session;
    index_t block() const noexcept { return block_; }
    index_t chunk(index_t n) const noexcept { return chunk_of_blocks<Arch>(block_, n, k_); }

    void fill(const auto& in, index_t first, index_t last) const noexcept {
        for_each_block(last - first, block_, [&](index_t r, index_t m, block_turn) {
            std::uint32_t* to = words_ + (first + r) * row_words(k_);
            for (index_t i = 0; i < m; ++i)
                rows_[first + r + i] = quantize_row<V>(in, first + r + i, k_, [&](index_t c, const auto& bytes) {
                    for (index_t q = 0; q < format::quads((std::min)(k_ - c, std::ssize(bytes))); ++q) {
                        byte_quad quad;
                        std::memcpy(quad.data(), bytes.data() + 4 * q, 4);
                        dot::expand(quad, to + ((c / 4 + q) * m + i) * dot::left_words);
                    }
                });
        });
    }
    void multiply(index_t first, index_t count, const packed<Arch, w8a8>& w, index_t p, float* tile) const noexcept {
        const std::byte* panel = w.panel_at(p);
        multiply_word_blocks<Arch, dot>(words_ + first * row_words(k_), count, block_, format::words_of(panel),
                                        format::quads(k_), reinterpret_cast<std::int32_t*>(tile));
        scale_sums<Arch>(panel, rows_ + first, count, tile);
    }

private:
    using V = value_t<Arch>;
    using dot = byte_dot<V>;
    using format = panel_format<Arch, w8a8>;

    static constexpr index_t row_words(index_t k) { return format::quads(k) * dot::left_words; }

    quantized_row* rows_;
    std::uint32_t* words_;
    index_t k_, block_;
};

/// The same for a matrix unit.
template <class Arch, class Unit>
class quantized_tiles {
    using layout = tiled_left<Arch, Unit, byte_tiles>;
    static_assert(layout::depth == left_slice);

public:
    static constexpr index_t max_chunk = layout::max_chunk;
    static constexpr index_t fewest = 16; // of fewer, registers of vectors wait less for memory; integers are the same
    static constexpr std::size_t bytes(index_t rows, index_t k) { return row_bytes(rows) + layout::bytes(rows, k); }
    quantized_tiles(std::byte* memory, index_t rows, index_t k) noexcept
        : rows_(reinterpret_cast<quantized_row*>(memory)), tiles_(memory + row_bytes(rows), rows, k), k_(k) {}

    index_t block() const noexcept { return 8; }
    index_t chunk(index_t) const noexcept { return tiles_.chunk(); }
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        for (index_t r = first; r < last; ++r)
            rows_[r] = quantize_row<value_t<Arch>>(in, r, k_, [&, to = tiles_.row_at(r)](index_t c, const auto& bytes) {
                std::memcpy(to + c / layout::depth * tile_bytes, bytes.data(), bytes.size());
            });
    }
    void multiply(index_t first, index_t count, const packed<Arch, w8a8>& w, index_t p, float* tile) const noexcept {
        const std::byte* panel = w.panel_at(p);
        tiles_.multiply(first, count, reinterpret_cast<const std::byte*>(panel_format<Arch, w8a8>::words_of(panel)),
                        reinterpret_cast<std::int32_t*>(tile));
        scale_sums<Arch>(panel, rows_ + first, count, tile);
    }

private:
    static constexpr std::size_t row_bytes(index_t rows) {
        return to_size(round_up(rows * index_t{sizeof(quantized_row)}, index_t{buffer_alignment}));
    }

    quantized_row* rows_;
    layout tiles_;
    index_t k_;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
