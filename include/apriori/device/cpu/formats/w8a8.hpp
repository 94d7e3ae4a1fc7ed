// SPDX-License-Identifier: Apache-2.0
// Integer weights times integer activations. A weight's byte is its integer + 128, so that instructions which multiply unsigned
// with signed bytes serve; what that adds to a sum, 128 times the sum of the row's integers, is taken off at the end.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/dot.hpp"
#include "apriori/device/cpu/panel_product.hpp"

#include <cstring>
#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

template <class Arch>
class quantized_rows;

/// Scales [P], then words [quads][P], a word being four inputs of an output.
template <class Arch>
struct panel_format<Arch, w8a8> {
    using left = quantized_rows<Arch>;
    static constexpr index_t P = blocking<Arch>::panel;
    static constexpr int zero = 128;

    static constexpr index_t quads(index_t k) { return ceil_div(k, 4); }
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

/// sums[M][panel] (+)= quads of M rows, [quads][M][words_of_quad], times `quads` quads of a panel.
template <class Arch, int M>
void multiply_quads(const std::uint32_t* a, const std::uint32_t* w, index_t quads, std::int32_t* sums, bool accumulate,
                    block_turn block) noexcept {
    using V = value_t<Arch>;
    using dot = byte_dot<V>;
    constexpr int N = blocking<Arch>::vectors, L = lanes<V>::count, W = dot::words_of_quad;
    typename dot::integers sum[to_size(M)][to_size(N)];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n)
            sum[m][n] = accumulate ? int_lanes<V>::load_integers(sums + (m * N + n) * L) : typename dot::integers(0);
    slice_prefetch ahead(w, quads, N * L * 4, block);
    for (index_t q = 0; q < quads; ++q, w += N * L, a += M * W) {
        ahead.advance();
        typename dot::weights x[to_size(N)];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) x[n] = dot::prepare(int_lanes<V>::load(w + n * L));
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[m][n] = dot::add(sum[m][n], a + m * W, x[n]);
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) int_lanes<V>::store_integers(sums + (m * N + n) * L, sum[m][n]);
}

using multiply_quads_t = void (*)(const std::uint32_t*, const std::uint32_t*, index_t, std::int32_t*, bool,
                                  block_turn) noexcept;

/// The kernels for 1 .. blocking::rows rows.
template <class Arch>
inline constexpr auto multiply_quads_of =
    by_row_count<blocking<Arch>::rows>([]<int M>() -> multiply_quads_t { return multiply_quads<Arch, M>; });

/// The left operand of a contraction in bytes: rows [rows, k] as integers, in blocks as panel_product.hpp describes, and for
/// each row its scale and the sum of its integers.
template <class Arch>
class quantized_rows {
public:
    static constexpr std::size_t bytes(index_t rows, index_t k) {
        return to_size(rows) * (sizeof(row) + 4 * to_size(row_words(k)));
    }
    quantized_rows(std::byte* memory, index_t rows, index_t k) noexcept
        : rows_(reinterpret_cast<row*>(memory)),
          words_(reinterpret_cast<std::uint32_t*>(rows_ + rows)),
          k_(k),
          block_(even_block<Arch>(rows)) {}

    /// Rows that are filled together.
    index_t block() const noexcept { return block_; }

    /// Computes rows first .. last, twice: once for their largest magnitudes, and once to be rounded.
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        for_each_block(last - first, block_, [&](index_t r, index_t m, block_turn) {
            for (index_t i = 0; i < m; ++i)
                fill_row_of_block(in, first + r + i, words_ + (first + r) * row_words(k_), m, i);
        });
    }

    /// tile[count][panel] = the product of rows first .. first + count with panel p of w; `first` is a multiple of block().
    void multiply(index_t first, index_t count, const packed<Arch, w8a8>& w, index_t p, float* tile) const noexcept {
        constexpr index_t P = format::P, depth = 1024; // quads of a panel that stay in the cache
        const std::byte* panel = w.panel_at(p);
        const index_t quads = format::quads(k_);
        auto* sums = reinterpret_cast<std::int32_t*>(tile);
        for (index_t q0 = 0; q0 < quads || q0 == 0; q0 += depth) {
            const index_t n = (std::min)(quads - q0, depth);
            for_each_block(count, block_, [&](index_t r, index_t m, block_turn turn) {
                at(multiply_quads_of<Arch>, m - 1)(words_ + (first + r) * row_words(k_) + q0 * m * dot::words_of_quad,
                                                   format::words_of(panel) + q0 * P, n, sums + r * P, q0 != 0, turn);
            });
        }
        for (index_t r = 0; r < count; ++r) {
            const row& x = rows_[first + r];
            const std::int32_t offset = -format::zero * x.sum;
            for_columns<V>(0, P, [&]<class W>(W, index_t c) {
                const auto sum =
                    int_lanes<W>::load_integers(sums + r * P + c) + typename int_lanes<W>::integers(offset);
                const W scale = lanes<W>::load(format::scales(panel) + c) * lanes<W>::set(x.scale);
                store(tile + r * P + c, int_lanes<W>::to_floats(sum) * scale);
            });
        }
    }

private:
    using V = value_t<Arch>;
    using dot = byte_dot<V>;
    using format = panel_format<Arch, w8a8>;
    struct row {
        float scale;
        std::int32_t sum;
    };

    static constexpr index_t row_words(index_t k) { return format::quads(k) * dot::words_of_quad; }
    /// Row r, as row i of a block of m rows that lies at `to`.
    void fill_row_of_block(const auto& in, index_t r, std::uint32_t* to, index_t m, index_t i) const noexcept {
        constexpr index_t columns = left_slice;
        const auto stats = prepare_row<V>(in, r, k_);
        float part[columns];
        std::uint32_t top = 0; // of the magnitudes' bits, which are ordered as the magnitudes are
        for (index_t c = 0; c < k_; c += columns) {
            const index_t count = (std::min)(k_ - c, columns);
            fill_row<V>(in, r, stats, c, c + count, part);
            for (index_t j = 0; j < count; ++j)
                top = (std::max)(top, std::bit_cast<std::uint32_t>(part[j]) & 0x7fffffffu);
        }
        const bool finite = top < 0x7f800000u;
        const float largest = std::bit_cast<float>(top);
        const float inverse = top > 0 && finite ? 127.0f / largest : 0.0f;
        std::int32_t sum = 0;
        for (index_t c = 0; c < k_; c += columns) {
            const index_t count = (std::min)(k_ - c, columns);
            fill_row<V>(in, r, stats, c, c + count, part);
            std::array<std::int8_t, columns> bytes{};
            for (index_t j = 0; j < count; ++j) {
                // 1.5 * 2^23 leaves the rounded integer in the low bits
                at(bytes, j) = std::int8_t(std::bit_cast<std::uint32_t>(part[j] * inverse + 0x1.8p23f) & 0xffu);
                sum += at(bytes, j);
            }
            for (index_t q = 0; q < format::quads(count); ++q) {
                byte_quad quad;
                std::memcpy(quad.data(), bytes.data() + 4 * q, 4);
                dot::expand(quad, to + ((c / 4 + q) * m + i) * dot::words_of_quad);
            }
        }
        rows_[r] = {finite ? largest / 127.0f : std::numeric_limits<float>::quiet_NaN(), sum};
    }

    row* rows_;
    std::uint32_t* words_;
    index_t k_, block_;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
