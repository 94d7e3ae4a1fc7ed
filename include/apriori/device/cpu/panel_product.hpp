// SPDX-License-Identifier: Apache-2.0
// The inner product of contractions in floats: interleaved rows times a panel of outputs.
//
// The left operand is packed in blocks of up to blocking::rows rows, [k][rows of the block], so that a kernel reads
// both operands front to back. A block of m rows that begins at row r is stored at offset r * k.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/formats/f32.hpp"
#include "apriori/device/cpu/formats/half.hpp"
#include "apriori/device/cpu/formats/w4.hpp"
#include "apriori/device/cpu/row_kernels.hpp"

#include <array>
#include <span>
#include <utility>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The strides of a product of M rows: input i of row m of the left operand is at m * row + i * input, and the
/// results of row m begin at m * tile.
struct block_steps {
    index_t row, input, tile;
};
template <class Arch, int M>
inline constexpr block_steps interleaved{1, M, blocking<Arch>::panel};

/// tile[M][panel] (+)= a[M][k0 .. k1] times a panel of weights, in a format.
template <class Arch, class Format, int M, block_steps Steps = interleaved<Arch, M>>
void multiply_block(const float* a, const std::byte* panel, index_t k, index_t k0, index_t k1, float* tile,
                    bool accumulate, block_turn block) noexcept {
    using V = value_t<Arch>;
    constexpr int N = blocking<Arch>::vectors, L = lanes<V>::count;
    V sum[to_size(M)][to_size(N)];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n)
            sum[m][n] = accumulate ? lanes<V>::load(tile + m * Steps.tile + n * L) : lanes<V>::set(0.0f);
    using format = panel_format<Arch, Format>;
    format::multiply(panel, k, k0, k1, block, [&](const V(&w)[to_size(N)]) __attribute__((always_inline)) {
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
            const V x = lanes<V>::set(a[m * Steps.row]);
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[m][n] = multiply_add(x, w[n], sum[m][n]);
        }
        a += Steps.input;
    });
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) store(tile + m * Steps.tile + n * L, sum[m][n]);
}

using multiply_block_t = void (*)(const float*, const std::byte*, index_t, index_t, index_t, float*, bool,
                                  block_turn) noexcept;

/// The kernels for 1 .. blocking::rows rows.
template <class Arch, class Format>
inline constexpr auto multiply_block_of =
    by_row_count<blocking<Arch>::rows>([]<int M>() -> multiply_block_t { return multiply_block<Arch, Format, M>; });

/// The left operand of a contraction in floats, [rows, k] interleaved.
template <class Arch>
class interleaved_rows {
public:
    static constexpr index_t max_chunk = blocking<Arch>::chunk;
    static constexpr std::size_t bytes(index_t rows, index_t k) { return to_size(rows * k) * sizeof(float); }
    interleaved_rows(std::byte* memory, index_t rows, index_t k) noexcept
        : data_(reinterpret_cast<float*>(memory)), k_(k), block_(even_block<Arch>(rows)) {}

    using session = no_session;

    /// The number of rows that are filled together.
    index_t block() const noexcept { return block_; }
    /// The number of rows that are multiplied together, for n outputs.
    index_t chunk(index_t n) const noexcept { return chunk_of_blocks<Arch>(block_, n, k_); }

    /// Computes rows first .. last; `first` is a multiple of block().
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        interleave_rows<Arch>(in, first, last, block_, k_, data_);
    }

    /// tile[count][panel] = the product of rows first .. first + count with panel p of w; `first` is a multiple of
    /// block(). A slice of k, `depth` inputs of the panel, stays in the cache while all rows pass over it.
    template <class Format>
    void multiply(index_t first, index_t count, const packed<Arch, Format>& w, index_t p, float* tile) const noexcept {
        constexpr index_t P = blocking<Arch>::panel, D = blocking<Arch>::depth;
        const std::byte* panel = w.panel_at(p);
        const float* a = data_ + first * k_;
        for (index_t k0 = 0; k0 < k_ || k0 == 0; k0 += D) {
            const index_t k1 = (std::min)(k0 + D, k_);
            for_each_block(count, block_, [&](index_t r, index_t m, block_turn turn) {
                at(multiply_block_of<Arch, Format>, m - 1)(a + r * k_ + k0 * m, panel, k_, k0, k1, tile + r * P,
                                                           k0 != 0, turn);
            });
        }
        panel_format<Arch, Format>::finish(panel, k_, tile, count);
    }

protected:
    /// The values of rows first .. last; `first` is a multiple of block().
    std::span<float> values(index_t first, index_t last) const noexcept {
        return {data_ + first * k_, to_size((last - first) * k_)};
    }

private:
    float* data_;
    index_t k_, block_;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
