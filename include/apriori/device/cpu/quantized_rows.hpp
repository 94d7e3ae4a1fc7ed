// SPDX-License-Identifier: Apache-2.0
// Left operands in bytes, for panels of bytes.
//
// A row is integers with one scale. They have one byte or several digits. One byte: -127 .. 127, and the scale
// is the row's largest magnitude / 127. T digits: fixed point with 7 T bits in signed digits of seven bits.
// The scale is a power of two, so with four digits all values above a sixteenth of the largest magnitude are
// exact. Sums of digits are exact.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/quantization.hpp"
#include "apriori/device/cpu/dot.hpp"
#include "apriori/device/cpu/row_kernels.hpp"
#include "apriori/device/cpu/tiles.hpp"

#include <bit>
#include <cstring>
#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Whether bytes are multiplied four at a time, so that activations of four digits cost less than
/// integers converted to floats.
template <class Arch>
inline constexpr bool multiplies_bytes = has_matrix_unit<Arch> || multiplies_quads<value_t<Arch>>;

/// The scale of a row of integers and the sums of its digits. The row is the sum of its terms t, digits times
/// 128^(Terms - 1 - t), times the scale.
template <int Terms>
struct quantized_row {
    float scale;
    std::int32_t sums[to_size(Terms)]; ///< of the digits of each term
};

/// The digits of 64 inputs.
template <int Terms>
using quantized_slice = std::int8_t[to_size(Terms)][to_size(left_slice)];

/// The scale of a row from the bits of its largest magnitude, and its inverse.
struct row_scale {
    float scale, inverse;
};
template <int Terms>
row_scale scale_of_largest(std::uint32_t bits) noexcept {
    if constexpr (Terms == 1) {
        const float largest = std::bit_cast<float>(bits);
        return {largest / 127.0f, bits > 0 ? 127.0f / largest : 0.0f};
    } else {
        constexpr std::uint32_t whole =
            7 * Terms - 2; // the largest integer is at least 2^whole, and below 2^(whole + 1)
        const std::uint32_t exponent = std::max<std::uint32_t>(bits >> 23, whole + 1);
        return {std::bit_cast<float>((exponent - whole) << 23), std::bit_cast<float>((254 + whole - exponent) << 23)};
    }
}
/// to = round(part * inverse) for `count` numbers, then zeros.
template <int Terms>
void quantize(const float* part, index_t count, float inverse, quantized_slice<Terms>& to) noexcept {
    float x[left_slice] = {};
    for (index_t j = 0; j < count; ++j) x[j] = part[j] * inverse;
    if constexpr (Terms == 1)
        for (index_t j = 0; j < left_slice; ++j) to[0][j] = std::int8_t(detail::nearest_integer(x[j]));
    else
        for (index_t j = 0; j < left_slice; ++j) {
            const auto whole = std::int32_t(x[j]);
            const float rest = x[j] - float(whole); // exact
            std::int32_t v = whole + (rest >= 0.5f) - (rest <= -0.5f);
            for (int t = Terms - 1; t > 0; --t) {
                const std::int32_t digit = ((v + 64) & 127) - 64;
                to[t][j] = std::int8_t(digit);
                v = (v - digit) / 128;
            }
            to[0][j] = std::int8_t(v);
        }
}

/// Row r of a left operand as integers, 64 at a time, with zeros after the last one: calls sink(c, digits) for the
/// inputs from c on. Computes the row twice: once for its largest magnitude, and once to round it. The scale of a row
/// with a number that is not finite is NaN.
template <int Terms, class V>
quantized_row<Terms> quantize_row(const auto& in, index_t r, index_t k, auto&& sink) noexcept {
    const auto stats = prepare_row<V>(in, r, k);
    float part[left_slice];
    std::uint32_t top = 0; // of the magnitudes' bits, which are ordered as the magnitudes are
    for (index_t c = 0; c < k; c += left_slice) {
        const index_t count = (std::min)(k - c, left_slice);
        fill_row<V>(in, r, stats, c, c + count, part);
        for (index_t j = 0; j < count; ++j) top = (std::max)(top, std::bit_cast<std::uint32_t>(part[j]) & 0x7fffffffu);
    }
    const bool finite = top < 0x7f800000u;
    const row_scale s = scale_of_largest<Terms>(finite ? top : 0);
    quantized_row<Terms> row{finite ? s.scale : std::numeric_limits<float>::quiet_NaN(), {}};
    for (index_t c = 0; c < k; c += left_slice) {
        const index_t count = (std::min)(k - c, left_slice);
        fill_row<V>(in, r, stats, c, c + count, part);
        if (!finite)
            for (float& x : part) x = 0.0f;
        quantized_slice<Terms> digits;
        quantize<Terms>(part, count, s.inverse, digits);
        for (int t = 0; t < Terms; ++t)
            for (index_t j = 0; j < left_slice; ++j) row.sums[t] += digits[t][j];
        sink(c, digits);
    }
    return row;
}

/// Converts sums of digits to floats. sums(r, t) points to those of row r and term t, [panel]; the weights were
/// multiplied as their integers + zero.
template <class Arch, int Terms>
void scale_sums(const float* scales, int zero, const quantized_row<Terms>* rows, index_t count, const auto& sums,
                float* tile) noexcept {
    using V = value_t<Arch>;
    constexpr index_t P = blocking<Arch>::panel;
    for (index_t r = 0; r < count; ++r)
        for_columns<V>(0, P, [&]<class W>(W, index_t c) {
            const auto sum_of = [&](int t) {
                const auto sum = int_lanes<W>::load_integers(sums(r, t) + c);
                return int_lanes<W>::to_floats(sum + typename int_lanes<W>::integers(-zero * rows[r].sums[t]));
            };
            W sum = sum_of(Terms - 1);
            float unit = 1.0f;
            for (int t = Terms - 2; t >= 0; --t) sum = sum + sum_of(t) * lanes<W>::set(unit *= 128.0f);
            store(tile + r * P + c, sum * lanes<W>::load(scales + c) * lanes<W>::set(rows[r].scale));
        });
}

/// The left operand of a contraction in bytes: rows [rows, k] as integers, in blocks as described in panel_product.hpp.
/// The terms of a row are consecutive rows of a block.
template <class Arch, int Terms>
class quantized_rows {
public:
    static constexpr index_t max_chunk = blocking<Arch>::chunk / (Terms == 1 ? 1 : 2); // their sums wait on the stack
    static_assert(blocking<Arch>::rows >= Terms);

    static constexpr std::size_t bytes(index_t rows, index_t k) {
        return to_size(rows) * (sizeof(quantized_row<Terms>) + 4 * Terms * to_size(row_words(k)));
    }
    quantized_rows(std::byte* memory, index_t rows, index_t k) noexcept
        : rows_(reinterpret_cast<quantized_row<Terms>*>(memory)),
          words_(reinterpret_cast<std::uint32_t*>(rows_ + rows)),
          k_(k),
          block_(even_block<Arch>(rows, blocking<Arch>::rows / Terms)) {}

    using session = no_session;
    index_t block() const noexcept { return block_; }
    index_t chunk(index_t n) const noexcept {
        return (std::min)(chunk_of_blocks<Arch>(block_, n, k_), max_chunk / block_ * block_);
    }

    void fill(const auto& in, index_t first, index_t last) const noexcept {
        for_each_row_of_blocks(first, last, block_, [&](index_t r, index_t block, index_t m, index_t i) {
            std::uint32_t* to = words_ + block * Terms * row_words(k_);
            rows_[r] = quantize_row<Terms, V>(in, r, k_, [&](index_t c, const quantized_slice<Terms>& digits) {
                for (int t = 0; t < Terms; ++t)
                    for (index_t q = 0; q < left_slice / 4; ++q) {
                        byte_quad quad;
                        std::memcpy(quad.data(), digits[t] + 4 * q, 4);
                        dot::expand(quad, to + ((c / 4 + q) * m * Terms + i * Terms + t) * dot::left_words);
                    }
            });
        });
    }
    void multiply(index_t first, index_t count, const auto& w, index_t p, float* tile) const noexcept {
        using format = typename std::remove_cvref_t<decltype(w)>::format;
        constexpr index_t P = blocking<Arch>::panel;
        const std::byte* panel = w.panel_at(p);
        alignas(buffer_alignment) std::int32_t sums[to_size(max_chunk * Terms * P)];
        multiply_word_blocks<Arch, dot>(words_ + first * Terms * row_words(k_), count * Terms, block_ * Terms,
                                        format::words_of(panel), quads(k_), sums);
        scale_sums<Arch, Terms>(
            format::scales(panel), format::zero - dot::taken_off, rows_ + first, count,
            [&](index_t r, int t) { return sums + (r * Terms + t) * P; }, tile);
    }

private:
    using V = value_t<Arch>;
    using dot = byte_dot<V>;

    static constexpr index_t quads(index_t k) { return round_up(k, left_slice) / 4; }
    static constexpr index_t row_words(index_t k) { return quads(k) * dot::left_words; }

    quantized_row<Terms>* rows_;
    std::uint32_t* words_;
    index_t k_, block_;
};

/// The same for a matrix unit.
template <class Arch, class Unit, int Terms>
class quantized_tiles {
    using layout = tiled_left<Arch, Unit, byte_tiles<Terms>>;
    static_assert(layout::depth == left_slice);

public:
    static constexpr index_t max_chunk = layout::max_chunk;
    static constexpr index_t fewest =
        Terms == 1 ? 16 : 5; // of fewer, vectors wait less for memory; integers are the same

    static constexpr std::size_t bytes(index_t rows, index_t k) { return row_bytes(rows) + layout::bytes(rows, k); }
    quantized_tiles(std::byte* memory, index_t rows, index_t k) noexcept
        : rows_(reinterpret_cast<quantized_row<Terms>*>(memory)), tiles_(memory + row_bytes(rows), rows, k), k_(k) {}

    index_t block() const noexcept { return 8; }
    index_t chunk(index_t) const noexcept { return tiles_.chunk(); }
    index_t passes() const noexcept { return tiles_.passes(); }
    float* sums(index_t t) const noexcept { return tiles_.sums(t); }
    static constexpr std::size_t sum_bytes(index_t rows, index_t n, index_t k) { return layout::sum_bytes(rows, n, k); }
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        for (index_t r = first; r < last; ++r) {
            std::byte* to[to_size(Terms)];
            for (int t = 0; t < Terms; ++t) to[t] = tiles_.row_at(r, t);
            rows_[r] =
                quantize_row<Terms, value_t<Arch>>(in, r, k_, [&](index_t c, const quantized_slice<Terms>& digits) {
                    for (int t = 0; t < Terms; ++t)
                        std::memcpy(to[t] + c / layout::depth * tile_bytes, digits[t], to_size(tile_row_bytes));
                });
        }
    }
    /// The tile holds integer sums until the last pass.
    void multiply(index_t first, index_t count, const auto& w, index_t p, float* tile,
                  index_t pass = 0) const noexcept {
        using format = typename std::remove_cvref_t<decltype(w)>::format;
        constexpr index_t P = blocking<Arch>::panel;
        const std::byte* panel = w.panel_at(p);
        const auto* words = reinterpret_cast<const std::byte*>(format::words_of(panel));
        const auto scale = [&](const std::int32_t* sums) {
            scale_sums<Arch, Terms>(
                format::scales(panel), format::zero, rows_ + first, count,
                [&](index_t r, int t) { return sums + (t * count + r) * P; }, tile);
        };
        if (passes() == 1) {
            alignas(buffer_alignment) std::int32_t sums[to_size(layout::max_sums * P)];
            tiles_.multiply(first, count, words, sums);
            return scale(sums);
        }
        auto* sums = reinterpret_cast<std::int32_t*>(tile);
        tiles_.multiply(first, count, words, sums, pass > 0, pass);
        if (pass + 1 == passes()) scale(sums);
    }

private:
    static constexpr std::size_t row_bytes(index_t rows) {
        return to_size(round_up(rows * index_t{sizeof(quantized_row<Terms>)}, index_t{buffer_alignment}));
    }

    quantized_row<Terms>* rows_;
    layout tiles_;
    index_t k_;
};

/// The left operand in `Terms` bytes: on the matrix unit if this process may use it, else in words.
template <class Arch, int Terms>
using quantized_left =
    left_for_unit<Arch, quantized_tiles<Arch, matrix_unit<Arch>, Terms>, quantized_rows<Arch, Terms>>;

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
