// SPDX-License-Identifier: Apache-2.0
// Products with packed weights. In float32: one kernel for many rows, bound by arithmetic, and one for few, bound by reading weights.
// In the other formats: tensor cores.
#pragma once

#include "apriori/device/cuda/packed.hpp"
#include "apriori/device/cuda/tensor_product.hpp"
#include "apriori/device/cuda/tile_product.hpp"

namespace apriori::cuda_kernels {

/// A block a tile of the output; neighbouring blocks read the same weights.
template <class Tile, class Op>
__global__ void __launch_bounds__(block_threads) many_rows(const __grid_constant__ Op op, bool aligned) {
    auto& [pa, pb] = in_shared_memory<tile_panels<Tile>>();
    const block_place place(ceil_div(op.rows, Tile::rows));
    const index_t row0 = place.column * Tile::rows, col0 = place.row * Tile::cols;

    using cursor = decltype(op.input.program.row(0));
    using input_source = rows_source<Tile::rows, Tile::depth, cursor>;
    using weight_source = rows_source<Tile::cols, Tile::depth, el::vector>;
    const index_t r = row0 + input_source::side(), c = col0 + weight_source::side();
    const index_t stride = op.weights.row_stride(op.k);
    input_source a{op.input.program.row(r < op.rows ? r : op.rows - 1), op.k, aligned};
    weight_source b{{op.weights.data + (c < op.n ? c : op.n - 1) * stride}, stride, true};

    tile_product<Tile> product;
    product.run(a, b, op.k, pa, pb);
    product.write(op.epilogue, op.out, 0, row0, op.rows, col0, op.n);
}

/// Up to Rows rows at once: a warp computes Columns columns, so that each weight is read once. Rows of the input are
/// aligned to quads.
template <int Rows, int Columns, class Op>
__global__ void __launch_bounds__(block_threads) few_rows(const __grid_constant__ Op op) {
    static_assert(Rows * Columns <= warp_threads, "a lane writes one result");
    const int lane = thread_index() % warp_threads;
    const index_t warp = block_index() * (block_threads / warp_threads) + thread_index() / warp_threads;
    const index_t col0 = warp * Columns;
    if (col0 >= op.n) return; // all lanes of a warp or none

    const float *x[Rows], *w[Columns];
    float sum[Rows][Columns] = {};
#pragma unroll
    for (int r = 0; r < Rows; ++r) x[r] = op.input.program.row(r < op.rows ? r : op.rows - 1).p;
#pragma unroll
    for (int c = 0; c < Columns; ++c)
        w[c] = op.weights.data + (col0 + c < op.n ? col0 + c : op.n - 1) * op.weights.row_stride(op.k);

    constexpr index_t step = 4 * warp_threads;
    constexpr int ahead =
        8 / Columns; // times Columns weights, 16 bytes each, that a lane asks for before it multiplies
    for (index_t k0 = 4 * lane; k0 < op.k; k0 += step * ahead) {
        float4 b[ahead][Columns];
#pragma unroll
        for (int i = 0; i < ahead; ++i)
#pragma unroll
            for (int c = 0; c < Columns; ++c)
                b[i][c] = k0 + i * step < op.k ? *reinterpret_cast<const float4*>(w[c] + k0 + i * step)
                                               : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
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
    const index_t r = lane / Columns, c = col0 + lane % Columns;
    if (lane < Rows * Columns && r < op.rows && c < op.n) op.out.row(r)[c] = op.epilogue.row(r).at(c, mine);
}

/// True where the input's rows lie in memory, each aligned to a float4.
template <class Program>
bool rows_are_aligned(const Program& program, index_t k) noexcept {
    if constexpr (std::is_same_v<Program, el::matrix>)
        return k % 4 == 0 && aligned_to_quads(program.p, program.map);
    else if constexpr (std::is_same_v<Program, el::vector>)
        return k % 4 == 0 && aligned_to_quads(program.p);
    else
        return false;
}

/// Columns that a warp takes: two where there are rows enough to reuse what is read of them.
template <int Rows, class Op>
status launch_few_rows(cudaStream_t stream, const Op& op) noexcept {
    constexpr int columns = Rows < 8 ? 1 : 2;
    return launch(stream, ceil_div(op.n, columns * (block_threads / warp_threads)), block_threads,
                  few_rows<Rows, columns, Op>, op);
}

template <class Tile, class Op>
status launch_many_rows(cudaStream_t stream, const Op& op, bool aligned) noexcept {
    return launch(stream, ceil_div(op.rows, Tile::rows) * ceil_div(op.n, Tile::cols), block_threads,
                  many_rows<Tile, Op>, op, aligned);
}

template <class Choices, class Program, class E>
status run(target<Choices> on, const ops::contraction<ops::mapped<Program>, cuda_packed<f32>, E>& op) noexcept {
    if (op.rows <= 0 || op.n <= 0) return {};
    const bool aligned = rows_are_aligned(op.input.program, op.k);
    if constexpr (std::is_same_v<decltype(op.input.program.row(0)), el::vector>) {
        static_assert(Choices::few_rows <= 16);
        if (aligned && op.rows <= Choices::few_rows) {
            if (op.rows == 1) return launch_few_rows<1>(on.stream, op);
            if (op.rows == 2) return launch_few_rows<2>(on.stream, op);
            if (op.rows <= 4) return launch_few_rows<4>(on.stream, op);
            if (op.rows <= 8) return launch_few_rows<8>(on.stream, op);
            return launch_few_rows<16>(on.stream, op);
        }
        using wide = typename Choices::wide_tile;
        if (ceil_div(op.rows, wide::rows) * ceil_div(op.n, wide::cols) >= on.processors) // tiles enough for all
            return launch_many_rows<wide>(on.stream, op, aligned);
    }
    return launch_many_rows<typename Choices::narrow_tile>(on.stream, op, aligned);
}

template <class Shape, class Op>
status launch_tensor_product(cudaStream_t stream, const Op& op, bool aligned) noexcept {
    const index_t outputs = ceil_div(op.n, tile_outputs * Shape::output_warps);
    return launch_with(tensor_product_bytes<typename format_of_op<Op>::type, Shape>(), stream,
                       ceil_div(op.rows, Shape::rows) * outputs, block_threads, tensor_product<Shape, Op>, op, aligned);
}

/// In all formats but f32: warps share k where there are too few rows to give each its own outputs.
template <class Choices, class Program, class Format, class E>
status run(target<Choices> on, const ops::contraction<ops::mapped<Program>, cuda_packed<Format>, E>& op) noexcept {
    if (op.rows <= 0 || op.n <= 0) return {};
    const bool aligned = rows_are_aligned(op.input.program, op.k);
    if (op.rows <= 8) return launch_tensor_product<tensor_shape<1, 1, 8>>(on.stream, op, aligned);
    if (op.rows <= 16) return launch_tensor_product<tensor_shape<2, 1, 8>>(on.stream, op, aligned);
    using many = tensor_shape<8, 8, 1>;
    if (ceil_div(op.rows, many::rows) * ceil_div(op.n, tile_outputs * many::output_warps) >= on.processors)
        return launch_tensor_product<many>(on.stream, op, aligned);
    if (op.rows <= 32) return launch_tensor_product<tensor_shape<4, 2, 4>>(on.stream, op, aligned);
    return launch_tensor_product<tensor_shape<8, 4, 2>>(on.stream, op, aligned);
}

} // namespace apriori::cuda_kernels
