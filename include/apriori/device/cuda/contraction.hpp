// SPDX-License-Identifier: Apache-2.0
// Products with packed weights. Float32 has one kernel for many rows, bound by arithmetic, and one for few rows, bound
// by reading the weights. The other formats use tensor cores.
#pragma once

#include "apriori/device/cuda/packed.hpp"
#include "apriori/device/cuda/tensor_product.hpp"
#include "apriori/device/cuda/tile_product.hpp"

namespace apriori::cuda_kernels {

/// One block for each tile of the output. Neighbouring blocks read the same weights.
template <class Tile, class Op>
__global__ void __launch_bounds__(block_threads) many_rows(const __grid_constant__ Op op, bool aligned) {
    allow_next_kernel();
    auto& [pa, pb] = in_shared_memory<tile_panels<Tile>>();
    const block_place place(ceil_div(op.rows, Tile::rows));
    const index_t row0 = place.column * Tile::rows, col0 = place.row * Tile::cols;

    using cursor = decltype(op.input.program.row(0));
    using input_source = rows_source<Tile::rows, Tile::depth, cursor>;
    using weight_source = rows_source<Tile::cols, Tile::depth, el::vector>;
    const index_t r = row0 + input_source::side(), c = col0 + weight_source::side();
    const index_t stride = op.weights.row_stride(op.k);
    weight_source b{{op.weights.data + (c < op.n ? c : op.n - 1) * stride}, stride, true};
    b.fetch(0);
    wait_for_kernels_before();
    input_source a{op.input.program.row(r < op.rows ? r : op.rows - 1), op.k, aligned};
    a.fetch(0);

    tile_product<Tile> product;
    product.run(a, b, op.k, pa, pb);
    product.write(op.epilogue, op.out, 0, row0, op.rows, col0, op.n);
}

/// Rows rows at once. A warp computes Columns columns of them; neighbouring blocks compute the same columns of the
/// other rows, so that each weight is read from memory only once. Rows of the input have to be aligned to float4s.
template <int Rows, int Columns, class Op>
__global__ void __launch_bounds__(block_threads) few_rows(const __grid_constant__ Op op) {
    static_assert(Rows * Columns <= warp_threads, "a lane writes one result");
    const int lane = thread_index() % warp_threads;
    const block_place place(ceil_div(op.rows, Rows));
    const index_t warp = place.row * (block_threads / warp_threads) + thread_index() / warp_threads;
    const index_t row0 = place.column * Rows, col0 = warp * Columns;
    allow_next_kernel();
    if (col0 >= op.n) return; // all lanes of a warp or none

    const float *x[Rows], *w[Columns];
    float sum[Rows][Columns] = {};
#pragma unroll
    for (int c = 0; c < Columns; ++c)
        w[c] = op.weights.data + (col0 + c < op.n ? col0 + c : op.n - 1) * op.weights.row_stride(op.k);

    constexpr index_t step = 4 * warp_threads;
    constexpr int ahead = 8 / Columns; // times Columns float4s of weights, which a lane loads before it multiplies
    float4 b[ahead][Columns];
    const auto ask = [&](index_t k0) {
#pragma unroll
        for (int i = 0; i < ahead; ++i)
#pragma unroll
            for (int c = 0; c < Columns; ++c)
                b[i][c] = k0 + i * step < op.k ? *reinterpret_cast<const float4*>(w[c] + k0 + i * step)
                                               : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    };
    ask(4 * lane);
    wait_for_kernels_before();
#pragma unroll
    for (int r = 0; r < Rows; ++r) x[r] = op.input.program.row(row0 + r < op.rows ? row0 + r : op.rows - 1).p;

    for (index_t k0 = 4 * lane; k0 < op.k;) {
#pragma unroll
        for (int i = 0; i < ahead; ++i) {
            const index_t k = k0 + i * step;
            if (k < op.k)
#pragma unroll
                for (int r = 0; r < Rows; ++r) {
                    const float4 a = *reinterpret_cast<const float4*>(x[r] + k);
#pragma unroll
                    for (int c = 0; c < Columns; ++c) {
                        const float4& v = b[i][c];
                        sum[r][c] += a.x * v.x + a.y * v.y + a.z * v.z + a.w * v.w;
                    }
                }
        }
        k0 += step * ahead;
        ask(k0);
    }

    float mine = 0; // lane r * Columns + c keeps the sum of row r and column c
#pragma unroll
    for (int r = 0; r < Rows; ++r)
#pragma unroll
        for (int c = 0; c < Columns; ++c) {
            float v = sum[r][c];
#pragma unroll
            for (int d = warp_threads / 2; d > 0; d /= 2) v += __shfl_xor_sync(all_lanes, v, d);
            if (lane == r * Columns + c) mine = v;
        }
    const index_t r = row0 + lane / Columns, c = col0 + lane % Columns;
    if (lane < Rows * Columns && r < op.rows && c < op.n) op.out.row(r)[c] = op.epilogue.row(r).at(c, mine);
}

/// Whether the input's rows are in memory, each aligned to a float4.
template <class Program>
bool rows_are_aligned(const Program& program, index_t k) noexcept {
    if constexpr (std::is_same_v<Program, el::matrix>)
        return k % 4 == 0 && aligned_to_quads(program.p, program.map);
    else if constexpr (std::is_same_v<Program, el::vector>)
        return k % 4 == 0 && aligned_to_quads(program.p);
    else
        return false;
}

/// With 8 rows or more a warp computes two columns, which share the rows that it reads; with fewer rows, one column.
template <int Rows, class Choices, class Op>
status launch_few_rows(target<Choices> on, const Op& op) noexcept {
    constexpr int columns = Rows < 8 ? 1 : 2;
    return launch(on, ceil_div(op.rows, Rows) * ceil_div(op.n, columns * (block_threads / warp_threads)), block_threads,
                  few_rows<Rows, columns, Op>, op);
}

template <class Tile, class Op>
index_t tiles_of(const Op& op) noexcept {
    return ceil_div(op.rows, Tile::rows) * ceil_div(op.n, Tile::cols);
}
template <class Tile, class Choices, class Op>
status launch_many_rows(target<Choices> on, const Op& op, bool aligned) noexcept {
    return launch(on, tiles_of<Tile>(op), block_threads, many_rows<Tile, Op>, op, aligned);
}

template <class Choices, class Program, class E>
status run(target<Choices> on, const ops::contraction<ops::mapped<Program>, cuda_packed<f32>, E>& op) noexcept {
    if (op.rows <= 0 || op.n <= 0) return {};
    const bool aligned = rows_are_aligned(op.input.program, op.k);
    if constexpr (std::is_same_v<decltype(op.input.program.row(0)), el::vector>) {
        static_assert(Choices::few_rows <= 16);
        using narrow = typename Choices::narrow_tile;
        if (aligned && (op.rows <= Choices::few_rows ||
                        (op.rows <= 4 * Choices::few_rows && tiles_of<narrow>(op) < on.processors))) {
            if (op.rows == 1) return launch_few_rows<1>(on, op);
            if (op.rows == 2) return launch_few_rows<2>(on, op);
            if (op.rows <= 4) return launch_few_rows<4>(on, op);
            if (op.rows <= 8) return launch_few_rows<8>(on, op);
            return launch_few_rows<16>(on, op);
        }
        using wide = typename Choices::wide_tile;
        if (tiles_of<wide>(op) >= on.processors) // enough tiles for all
            return launch_many_rows<wide>(on, op, aligned);
    }
    return launch_many_rows<typename Choices::narrow_tile>(on, op, aligned);
}

template <class Shape, class Op>
index_t blocks_of(const Op& op) noexcept {
    return ceil_div(op.rows, Shape::rows) * ceil_div(op.n, tile_outputs * Shape::output_warps);
}
template <class Shape, class Choices, class Op>
status launch_tensor_product(target<Choices> on, const Op& op, bool aligned) noexcept {
    return launch_with({tensor_product_bytes<typename format_of_op<Op>::type, Shape>(), on.dependent_launches},
                       on.stream, blocks_of<Shape>(op), block_threads, tensor_product<Shape, Op>, op, aligned);
}

/// For all formats but f32. Warps share k where there are too few rows to give each warp its own outputs.
template <class Choices, class Program, class Format, class E>
status run(target<Choices> on, const ops::contraction<ops::mapped<Program>, cuda_packed<Format>, E>& op) noexcept {
    if (op.rows <= 0 || op.n <= 0) return {};
    const bool aligned = rows_are_aligned(op.input.program, op.k);
    if (op.rows <= 8) return launch_tensor_product<tensor_shape<1, 1, 8>>(on, op, aligned);
    if (op.rows <= 16) return launch_tensor_product<tensor_shape<2, 1, 8>>(on, op, aligned);
    using many = tensor_shape<8, 8, 1>;
    using some = tensor_shape<8, 4, 2>;
    if (blocks_of<many>(op) >= on.processors) return launch_tensor_product<many>(on, op, aligned);
    if (op.rows > 32 && blocks_of<some>(op) >= on.processors) return launch_tensor_product<some>(on, op, aligned);
    return launch_tensor_product<tensor_shape<4, 2, 4>>(on, op, aligned);
}

} // namespace apriori::cuda_kernels
