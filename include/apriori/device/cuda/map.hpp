// SPDX-License-Identifier: Apache-2.0
// Element-wise programs. A block covers some rows and some columns. Its shape depends on the length of a row, so that
// short rows do not leave threads idle and one long row is spread over the whole GPU.
#pragma once

#include "apriori/device/cuda/launch.hpp"
#include "apriori/expr/ops.hpp"

namespace apriori::cuda_kernels {

inline constexpr int map_steps = 4; ///< elements of a row that a thread computes

/// `across` threads of the block lie along a row, the others along further rows; `col_blocks` blocks cover a row.
template <class Op>
__global__ void __launch_bounds__(block_threads) map(const __grid_constant__ Op op, int across, index_t col_blocks) {
    begin_kernel();
    const block_place place(col_blocks);
    const index_t r = place.row * (block_threads / across) + thread_index() / across;
    if (r >= op.rows) return;
    const auto cursor = op.program.row(r);
    auto* const to = op.out.row(r);
    const index_t first = place.column * map_steps * across + thread_index() % across;
    for (int i = 0; i < map_steps; ++i)
        if (const index_t c = first + index_t{i} * across; c < op.cols) put(to + c, cursor.at(c, 0.0f));
}

template <class Choices, class P, class Out>
status run(target<Choices> on, const ops::map<P, Out>& op) noexcept {
    if (op.rows <= 0 || op.cols <= 0) return {};
    int across = 1;
    while (across < block_threads && across < op.cols) across *= 2;
    const index_t col_blocks = ceil_div(op.cols, index_t{map_steps} * across);
    return launch(on, ceil_div(op.rows, block_threads / across) * col_blocks, block_threads, map<ops::map<P, Out>>, op,
                  across, col_blocks);
}

} // namespace apriori::cuda_kernels
