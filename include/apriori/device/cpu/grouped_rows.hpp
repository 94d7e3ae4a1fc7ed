// SPDX-License-Identifier: Apache-2.0
// Left operands in bytes for panels of nibbles, whose inputs have a scale for each group of 32.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/quantized_rows.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The sum of a group from the sums of its digits, sum(t) being that of term t. It fits into an integer: 32 products of
/// a nibble and a number of at most 21 bits.
template <class V, int Terms>
APRIORI_INLINE V sum_of_digits(const auto& sum) noexcept {
    static_assert(Terms <= 3);
    auto whole = sum(0);
#pragma GCC unroll 2
    for (int t = 1; t < Terms; ++t) whole = (whole << 7) + sum(t);
    return int_lanes<V>::to_floats(whole);
}
/// tile[R][panel] = R rows of `Terms` digits times `Count` registers of a panel of nibbles from register First on,
/// without the scales of the rows. A group of the left operand has, for each row and term, the negated amount that the
/// nibbles' offset of 8 adds to its sum, then quads [8][R Terms][left_words].
template <class Arch, int Terms, int R, int First, int Count>
void multiply_nibble_groups(const std::uint32_t* a, const std::byte* panel, index_t groups, float* tile,
                            block_turn block) noexcept {
    using format = panel_format<Arch, w4>;
    using V = value_t<Arch>;
    using dot = byte_dot<V, 4>;
    using integers = typename dot::integers;
    constexpr index_t P = blocking<Arch>::panel;
    constexpr int N = Count, L = lanes<V>::count, M = R * Terms, W = dot::left_words;
    V sum[to_size(R)][to_size(N)];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sum[r][n] = lanes<V>::set(0.0f);
    slice_prefetch ahead(panel, groups, format::group_words * 4, block);
    for (index_t g = 0; g < groups; ++g) {
        ahead.advance();
        const std::uint32_t* group = format::group_at(panel, g);
        integers part[to_size(M)][to_size(N)];
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) part[m][n] = integers(std::int32_t(a[m]));
        a += M;
        const std::uint32_t* w = format::words_of(group) + First * L;
#pragma GCC unroll 4
        for (int word = 0; word < w4::group / 8; ++word, w += P) {
            int_lanes<V> words[to_size(N)];
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) words[n] = int_lanes<V>::load(w + n * L);
#pragma GCC unroll 2
            for (int upper = 0; upper < 2; ++upper) {
                typename dot::weights x[to_size(N)];
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n)
                    x[n] = dot::prepare((upper ? words[n].right(4) : words[n]).masked(0x0f0f0f0fu));
#pragma GCC unroll 16
                for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
                    for (int n = 0; n < N; ++n) part[m][n] = dot::add(part[m][n], a + m * W, x[n]);
                a += M * W;
            }
        }
        V scale[2];
        format::load_scales(group, scale);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) {
                const V of_group = sum_of_digits<V, Terms>([&](int t) { return part[r * Terms + t][n]; });
                sum[r][n] = multiply_add(of_group, scale[First + n], sum[r][n]);
            }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) store(tile + r * P + (First + n) * L, sum[r][n]);
}
/// The same for all registers: both at a time if the sums of that many digits stay in
/// registers, else one after the other.
template <class Arch, int Terms, int R>
void multiply_nibble_panel(const std::uint32_t* a, const std::byte* panel, index_t groups, float* tile,
                           block_turn block) noexcept {
    static_assert(blocking<Arch>::vectors == 2);
    if constexpr (R * Terms * 2 <= (blocking<Arch>::many_registers ? 16 : 6))
        multiply_nibble_groups<Arch, Terms, R, 0, 2>(a, panel, groups, tile, block);
    else {
        const index_t turn = 2 * block.turn, of = 2 * block.of;
        multiply_nibble_groups<Arch, Terms, R, 0, 1>(a, panel, groups, tile, {turn, of});
        multiply_nibble_groups<Arch, Terms, R, 1, 1>(a, panel, groups, tile, {turn + 1, of});
    }
}

/// The left operand of a contraction with panels of nibbles: rows of `Terms` digits, in blocks.
template <class Arch, int Terms>
class grouped_rows {
    /// The most rows whose sums, of integers and of floats, stay in registers.
    static constexpr int most = Terms == 1 ? (blocking<Arch>::rows + 1) / 2 : blocking<Arch>::many_registers ? 4 : 2;

public:
    static constexpr index_t max_chunk = blocking<Arch>::chunk;

    static constexpr std::size_t bytes(index_t rows, index_t k) {
        return to_size(rows) * (sizeof(float) + 4 * to_size(row_words(k)));
    }
    grouped_rows(std::byte* memory, index_t rows, index_t k) noexcept
        : words_(reinterpret_cast<std::uint32_t*>(memory)),
          scales_(reinterpret_cast<float*>(words_ + rows * row_words(k))),
          k_(k),
          block_(even_block<Arch>(rows, most)) {}

    using session = no_session;
    index_t block() const noexcept { return block_; }
    index_t chunk(index_t n) const noexcept { return chunk_of_blocks<Arch>(block_, n, k_); }

    void fill(const auto& in, index_t first, index_t last) const noexcept {
        for_each_row_of_blocks(first, last, block_, [&](index_t r, index_t block, index_t m, index_t i) {
            fill_row_of_block(in, r, words_ + block * row_words(k_), m, i);
        });
    }
    void multiply(index_t first, index_t count, const auto& w, index_t p, float* tile) const noexcept {
        using kernel = void (*)(const std::uint32_t*, const std::byte*, index_t, float*, block_turn) noexcept;
        static constexpr auto kernels =
            by_row_count<most>([]<int R>() -> kernel { return multiply_nibble_panel<Arch, Terms, R>; });
        constexpr index_t P = blocking<Arch>::panel;
        for_each_block(count, block_, [&](index_t r, index_t m, block_turn turn) {
            at(kernels, m - 1)(words_ + (first + r) * row_words(k_), w.panel_at(p), groups(k_), tile + r * P, turn);
        });
        for (index_t r = 0; r < count; ++r) multiply_row<Arch>(tile + r * P, scales_[first + r]);
    }

private:
    using V = value_t<Arch>;
    using dot = byte_dot<V, 4>;
    static constexpr index_t G = w4::group, group_words = 1 + G / 4 * dot::left_words; ///< words of one row and term
    static constexpr index_t groups(index_t k) { return ceil_div(k, G); }
    static constexpr index_t row_words(index_t k) { return groups(k) * Terms * group_words; }

    /// Writes row r as row i of a block of m rows at `block`.
    void fill_row_of_block(const auto& in, index_t r, std::uint32_t* block, index_t m, index_t i) const noexcept {
        const auto store_digits = [&](index_t c, const quantized_slice<Terms>& digits) {
            for (index_t g = c / G; g < (std::min)((c + left_slice) / G, groups(k_)); ++g) {
                std::uint32_t* group = block + g * m * Terms * group_words;
                for (int t = 0; t < Terms; ++t) {
                    const std::int8_t* from = digits[t] + (g * G - c);
                    const index_t row = i * Terms + t;
                    std::int32_t sum = 0;
                    for (index_t j = 0; j < G; ++j) sum += from[j];
                    group[row] = std::uint32_t(-8 * sum);
                    for (index_t q = 0; q < G / 4; ++q) {
                        byte_quad quad;
                        std::memcpy(quad.data(), from + 4 * q, 4);
                        dot::expand(quad, group + m * Terms + (q * m * Terms + row) * dot::left_words);
                    }
                }
            }
        };
        scales_[r] = quantize_row<Terms, V>(in, r, k_, store_digits).scale;
    }

    std::uint32_t* words_;
    float* scales_;
    index_t k_, block_;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
