// SPDX-License-Identifier: Apache-2.0
// Batches of products of two activations, with any strides.
#pragma once

#include "apriori/device/cuda/tile_product.hpp"

namespace apriori::cuda_kernels {

template <class Tile, class Op>
__global__ void __launch_bounds__(block_threads) matmul(const __grid_constant__ Op op) {
    begin_kernel();
    auto& [pa, pb] = in_shared_memory<tile_panels<Tile>>();
    const index_t row_tiles = ceil_div(op.m, Tile::rows), col_tiles = ceil_div(op.n, Tile::cols);
    const block_place place(row_tiles * col_tiles);
    const index_t item = place.row;
    const index_t col_tile = unsigned(place.column) / unsigned(row_tiles);
    const index_t row0 = (place.column - col_tile * row_tiles) * Tile::rows, col0 = col_tile * Tile::cols;

    strided_source<Tile::rows, Tile::depth> a{op.a.p + op.a.batch(item) + row0 * op.a.row, op.a.row, op.a.col,
                                              op.m - row0, op.k};
    strided_source<Tile::cols, Tile::depth> b{op.b.p + op.b.batch(item) + col0 * op.b.col, op.b.col, op.b.row,
                                              op.n - col0, op.k};
    tile_product<Tile> product;
    a.fetch(0);
    b.fetch(0);
    product.run(a, b, op.k, pa, pb);
    product.write(op.epilogue, op.out, item * op.m, row0, op.m, col0, op.n);
}

template <class Choices, class E, class Map>
status run(target<Choices> on, const ops::matmul<E, float, Map>& op) noexcept {
    using chosen = typename Choices::narrow_tile;
    if (op.batch <= 0 || op.m <= 0 || op.n <= 0) return {};
    return launch(on, op.batch * ceil_div(op.m, chosen::rows) * ceil_div(op.n, chosen::cols), block_threads,
                  matmul<chosen, ops::matmul<E, float, Map>>, op);
}

/// Products of doubles, one thread for each element of the result.
template <class Op>
__global__ void __launch_bounds__(block_threads) matmul_of_doubles(const __grid_constant__ Op op) {
    begin_kernel();
    const index_t i = block_index() * block_threads + thread_index(), r = i / op.n, j = i % op.n;
    if (r >= op.batch * op.m) return;
    const index_t item = r / op.m;
    const double* a = op.a.p + op.a.batch(item) + r % op.m * op.a.row;
    const double* b = op.b.p + op.b.batch(item) + j * op.b.col;
    double sum = 0;
    for (index_t k = 0; k < op.k; ++k) sum += a[k * op.a.col] * b[k * op.b.row];
    put(op.out.row(r) + j, op.epilogue.row(r).at(j, sum));
}
template <class Choices, class E, class Map>
status run(target<Choices> on, const ops::matmul<E, double, Map>& op) noexcept {
    return launch(on, ceil_div(op.batch * op.m * op.n, block_threads), block_threads,
                  matmul_of_doubles<ops::matmul<E, double, Map>>, op);
}

} // namespace apriori::cuda_kernels
