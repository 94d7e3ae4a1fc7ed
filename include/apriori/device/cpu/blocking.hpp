// SPDX-License-Identifier: Apache-2.0
// Register and cache blocking of an architecture: the constants that contraction kernels are compiled for.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/library_functions.hpp"

#include <algorithm>
#include <array>
#include <utility>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The number of vector registers that kernels may use.
template <class Arch>
inline constexpr int register_count = lanes<value_t<Arch>>::count == 16 ? 32 : 16;

/// A kernel keeps `rows` x `vectors` accumulators in registers, `vectors` of weights, and one broadcast value: at most
/// 16 registers where there are 16 (SSE, AVX), 32 where there are 32 (AVX-512), 8 where there are 8 (Helium).
template <class Arch>
struct blocking {
    using V = value_t<Arch>;
    static constexpr bool many_registers = register_count<Arch> == 32;
    static constexpr int vectors = 2; ///< registers across the outputs of a panel
    static constexpr int rows = many_registers               ? 12
                                : register_count<Arch> == 16 ? 6
                                                             : 2; ///< rows of the left operand at a time
    static constexpr int panel = vectors * lanes<V>::count;       ///< outputs of a panel
    static constexpr index_t depth = 512; ///< inputs of a panel that are processed while they are in the L1 cache
    static constexpr index_t chunk = 96;  ///< rows whose results wait on the stack for their epilogue
    static_assert(chunk >= rows);
};

/// The rows of every block but the last, chosen so that `rows` make as few blocks as possible of about the same size: a
/// block of two takes as long as one of five.
template <class Arch>
constexpr index_t even_block(index_t rows, index_t most = blocking<Arch>::rows) noexcept {
    return rows > 0 ? ceil_div(rows, ceil_div(rows, most)) : 1;
}

/// The number of rows of a left operand, a multiple of `block`, whose results wait on the stack for their epilogue.
/// With few inputs and many outputs most of the time goes into writing: then it is one block, whose rows are written
/// front to back, while the weights are read again from the L2 cache.
template <class Arch>
constexpr index_t chunk_of_blocks(index_t block, index_t n, index_t k) noexcept {
    return k <= 32 && n >= 1024 ? block : blocking<Arch>::chunk / block * block;
}

/// The index of a block of rows among those that pass over a slice of k one after the other.
struct block_turn {
    index_t turn = 0, of = 1;
};

/// body(first row, rows, block_turn) for `count` rows in blocks of `block`, the last of which may be smaller.
APRIORI_INLINE void for_each_block(index_t count, index_t block, auto&& body) noexcept {
    const index_t blocks = ceil_div(count, block);
    for (index_t b = 0; b < blocks; ++b) {
        const index_t r = b * block;
        body(r, (std::min)(block, count - r), block_turn{b, blocks});
    }
}

/// body(row, first row of the block, rows of the block, index in the block) for rows first ..
/// last in blocks of `block`.
APRIORI_INLINE void for_each_row_of_blocks(index_t first, index_t last, index_t block, auto&& body) noexcept {
    for_each_block(last - first, block, [&](index_t r, index_t m, block_turn) {
        for (index_t i = 0; i < m; ++i) body(first + r + i, first + r, m, i);
    });
}

/// A kernel compiled for each number of rows 1 .. Rows: element m - 1 is `make.operator()<m>()`.
template <int Rows, class Make>
constexpr auto by_row_count(Make make) {
    return [&]<int... Is>(std::integer_sequence<int, Is...>) {
        return std::array { make.template operator()<Is + 1>()... };
    }(std::make_integer_sequence<int, Rows>{});
}

/// Outputs rounded up to whole panels.
template <class Arch>
constexpr index_t padded_outputs(index_t n) noexcept {
    return round_up(n, blocking<Arch>::panel);
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
