// SPDX-License-Identifier: Apache-2.0
// Products on tensor cores, for weights in fragments. In the units' product the 16 outputs are the rows, and the rows
// of activations are the columns. Weights go to the registers without a barrier of the block: each lane copies its own
// 16 bytes ahead.
//
// Activations that stay floats are the sum of three bfloat16 terms, exactly, and take three products. Sums are float.
#pragma once

#include "apriori/device/cuda/packed.hpp"
#include "apriori/device/cuda/tile_product.hpp"

#include <algorithm>

namespace apriori::cuda_kernels {

/// A block of eight warps computes 8 RowTiles rows x 16 OutputWarps outputs. SharingWarps warps each take a part of k
/// of the same outputs, and their sums are added. The block holds `chunk` tiles of the activations' k in shared memory
/// at a time, four for each warp that shares.
template <int RowTiles, int OutputWarps, int SharingWarps>
struct tensor_shape {
    static constexpr int warps = OutputWarps * SharingWarps;
    static_assert(warps * warp_threads == block_threads);
    static constexpr int row_tiles = RowTiles, rows = 8 * RowTiles, output_warps = OutputWarps, sharing = SharingWarps,
                         chunk = 4 * SharingWarps;
};

inline constexpr int units_ahead = 8; ///< units of a warp that are being copied to shared memory

/// How many bfloat16 numbers an activation is split into, for a format.
template <class Format>
inline constexpr int activation_terms = std::is_same_v<Format, bf16a16> ? 1 : 3;

/// A chunk of activations in shared memory: words [tile of k][row tile][term][lane][2], in the order of multiply_add's
/// b. Eight extra words for each tile avoid bank conflicts.
template <class Shape, int Terms>
struct activation_chunk {
    static constexpr int tile_words = Shape::row_tiles * Terms * 64 + 8;
    /// After the last chunk this memory holds the warps' sums, [warp][row][output].
    static constexpr int words = (std::max)(Shape::chunk * tile_words, Shape::warps* Shape::rows* int(tile_outputs));

    __device__ static int word(int tile, int row_tile, int term) {
        return tile * tile_words + (row_tile * Terms + term) * 64;
    }
};

/// A thread's part of a chunk: pairs of neighbours along k, each of which makes a word.
template <class Shape, int Terms, class Program>
struct activation_source {
    static constexpr int pairs = Shape::chunk * 8, each = Shape::rows * pairs / block_threads;
    static_assert(each * block_threads == Shape::rows * pairs);
    using layout = activation_chunk<Shape, Terms>;

    const Program& program;
    index_t row0, rows, k;
    bool aligned; ///< rows are in memory, each aligned to a float4
    float held[each][2];

    __device__ void fetch(index_t k0) {
#pragma unroll
        for (int e = 0; e < each; ++e) {
            const int i = thread_index() + e * block_threads;
            const index_t r = row0 + i / pairs, c = k0 + i % pairs * 2;
            held[e][0] = held[e][1] = 0.0f;
            if (r >= rows) continue;
            const auto row = program.row(r);
            if constexpr (std::is_same_v<std::remove_cv_t<decltype(row)>, el::vector>)
                if (aligned) {
                    if (c < k) {
                        const float2 v = *reinterpret_cast<const float2*>(row.p + c);
                        held[e][0] = v.x;
                        held[e][1] = v.y;
                    }
                    continue;
                }
            if (c < k) held[e][0] = row.at(c, 0.0f);
            if (c + 1 < k) held[e][1] = row.at(c + 1, 0.0f);
        }
    }
    __device__ void store(std::uint32_t* chunk) const {
#pragma unroll
        for (int e = 0; e < each; ++e) {
            const int i = thread_index() + e * block_threads, r = i / pairs, pair = i % pairs;
            const int place = (r % 8 * 4 + pair % 4) * 2 + pair % 8 / 4;
            float low = held[e][0], high = held[e][1];
#pragma unroll
            for (int term = 0; term < Terms; ++term) {
                std::uint32_t& to = chunk[layout::word(pair / 8, r / 8, term) + place];
                if constexpr (Terms == 1)
                    to = std::uint32_t{float_to_bfloat16(low)} | std::uint32_t{float_to_bfloat16(high)} << 16;
                else {
                    to = word_of(low, high); // truncated rather than rounded, so that nothing overflows
                    low = behind_bfloat16(low);
                    high = behind_bfloat16(high);
                }
            }
        }
    }
};

/// A warp's units of 16 outputs, every `sharing`-th unit of k, copied ahead into shared memory.
template <class Format, class Shape>
struct unit_ring {
    using layout = fragments<Format>;

    const std::byte* units;
    index_t count; ///< of all warps that share them
    int share;     ///< which of these warps this one is
    std::byte* memory;

    __device__ std::byte* slot(int turn) const { return memory + turn % units_ahead * layout::unit_bytes; }
    __device__ static int lane() { return thread_index() % warp_threads; }

    /// Starts to copy the warp's unit number `turn` into the slot of the unit units_ahead before it.
    __device__ void ask(int turn) const {
        if (const index_t unit = index_t{turn} * Shape::sharing + share; unit < count) {
            const auto copy = [&](int i) {
                copy_ahead(reinterpret_cast<operand_words*>(slot(turn)) + i,
                           reinterpret_cast<const operand_words*>(units + unit * layout::unit_bytes) + i);
            };
            copy(lane());
            constexpr int scales = int(layout::unit_bytes / 16) - warp_threads; // other lanes read these too
            if (lane() < scales) copy(warp_threads + lane());
        }
        end_copies();
    }
    /// Waits for the unit number `turn` and returns it.
    __device__ const std::byte* wait(int turn) const {
        wait_for_copies<units_ahead - 1>();
        __syncwarp(); // the copies of the other lanes have arrived too, and all lanes are ready for the product
        return slot(turn);
    }
};

/// sums[n][i] += tile t of a unit times the chunk's tile at `words`, for all row tiles n.
template <class Format, class Shape, int Terms>
__device__ void multiply_tile(float (&sums)[Shape::row_tiles][4], const operand_words& unit, int t,
                              const std::uint32_t* words) {
    const int lane = thread_index() % warp_threads;
#pragma unroll
    for (int w = fragments<Format>::terms - 1; w >= 0; --w) { // the smallest term first
        const operand_words a = fragments<Format>::operand(unit, t, w);
#pragma unroll
        for (int n = 0; n < Shape::row_tiles; ++n)
#pragma unroll
            for (int term = Terms - 1; term >= 0; --term) {
                const std::uint32_t* const b = words + (n * Terms + term) * 64 + lane * 2;
                const std::uint32_t pair[2] = {b[0], b[1]};
                multiply_add(sums[n], a, pair);
            }
    }
}

/// Adds the products of a whole unit to a warp's sums.
template <class Format, class Shape, int Terms>
__device__ void multiply_unit(float (&sums)[Shape::row_tiles][4], const std::byte* unit, const std::uint32_t* chunk,
                              int tile) {
    using layout = fragments<Format>;
    constexpr int tile_words = activation_chunk<Shape, Terms>::tile_words;
    const int lane = thread_index() % warp_threads;
    const operand_words words = reinterpret_cast<const operand_words*>(unit)[lane];
    if constexpr (layout::grouped) {
#pragma unroll
        for (int g = 0; g < layout::tiles / layout::group_tiles; ++g) {
            float group[Shape::row_tiles][4] = {};
#pragma unroll
            for (int i = 0; i < layout::group_tiles; ++i) {
                const int t = g * layout::group_tiles + i;
                multiply_tile<Format, Shape, Terms>(group, words, t, chunk + (tile + t) * tile_words);
            }
            const float scale[2] = {layout::group_scale(unit, lane / 4, g), layout::group_scale(unit, lane / 4 + 8, g)};
#pragma unroll
            for (int n = 0; n < Shape::row_tiles; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) sums[n][i] += group[n][i] * scale[i / 2];
        }
        __syncwarp(); // all lanes have read the scales
    } else {
#pragma unroll
        for (int t = 0; t < layout::tiles; ++t)
            multiply_tile<Format, Shape, Terms>(sums, words, t, chunk + (tile + t) * tile_words);
    }
}

template <class Op>
struct format_of_op;
template <class Program, class Format, class E>
struct format_of_op<ops::contraction<ops::mapped<Program>, cuda_packed<Format>, E>> {
    using type = Format;
};

template <class Format, class Shape>
constexpr std::size_t tensor_product_bytes() {
    return to_size(activation_chunk<Shape, activation_terms<Format>>::words) * 4 +
           to_size(Shape::warps * units_ahead * fragments<Format>::unit_bytes);
}

/// One block for each tile of the output. Neighbouring blocks read the same weights.
template <class Shape, class Op>
__global__ void __launch_bounds__(block_threads, Shape::row_tiles == 1 ? 2 : 1)
    tensor_product(const __grid_constant__ Op op, bool aligned) {
    using format = typename format_of_op<Op>::type;
    using layout = fragments<format>;
    allow_next_kernel();
    constexpr int terms = activation_terms<format>, lane_outputs = int(tile_outputs);
    using chunk_type = activation_chunk<Shape, terms>;
    auto* const chunk = reinterpret_cast<std::uint32_t*>(dynamic_memory());
    const block_place place(ceil_div(op.rows, Shape::rows));
    const int warp = thread_index() / warp_threads, lane = thread_index() % warp_threads;
    const index_t row0 = place.column * Shape::rows, first_tile = place.row * Shape::output_warps;
    const index_t tile = first_tile + warp / Shape::sharing, last_tile = ceil_div(op.n, tile_outputs) - 1;
    const unit_ring<format, Shape> ring{
        op.weights.tile(tile < last_tile ? tile : last_tile), op.weights.units(op.k), warp % Shape::sharing,
        reinterpret_cast<std::byte*>(chunk + chunk_type::words) + warp * units_ahead * layout::unit_bytes};
    for (int i = 0; i < units_ahead; ++i) ring.ask(i);

    wait_for_kernels_before();
    activation_source<Shape, terms, decltype(op.input.program)> input{op.input.program, row0, op.rows, op.k,
                                                                      aligned,          {}};
    input.fetch(0);
    float sums[Shape::row_tiles][4] = {};
    int turn = 0;
    constexpr index_t chunk_inputs = Shape::chunk * tile_inputs;
    for (index_t k0 = 0; k0 < op.k; k0 += chunk_inputs) {
        input.store(chunk);
        __syncthreads(); // the chunk is complete
        if (k0 + chunk_inputs < op.k) input.fetch(k0 + chunk_inputs);
        for (int t = ring.share * layout::tiles; t < Shape::chunk; t += layout::tiles * Shape::sharing, ++turn) {
            const std::byte* const unit = ring.wait(turn);
            if (index_t{turn} * Shape::sharing + ring.share < ring.count)
                multiply_unit<format, Shape, terms>(sums, unit, chunk, t);
            ring.ask(turn + units_ahead);
        }
        __syncthreads(); // all warps have read the chunk
    }

    const auto write = [&](index_t r, index_t j, float v) {
        if (r >= op.rows || j >= op.n) return;
        const float scaled = v * layout::scale(op.weights.extra(j / tile_outputs), int(j % tile_outputs));
        op.out.row(r)[j] = op.epilogue.row(r).at(j, scaled);
    };
    if constexpr (Shape::sharing == 1) {
#pragma unroll
        for (int n = 0; n < Shape::row_tiles; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                write(row0 + n * 8 + lane % 4 * 2 + i % 2, tile * tile_outputs + lane / 4 + i / 2 * 8, sums[n][i]);
    } else {
        auto* const parts = reinterpret_cast<float*>(chunk);
        constexpr int part = Shape::rows * lane_outputs;
#pragma unroll
        for (int n = 0; n < Shape::row_tiles; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                parts[warp * part + (n * 8 + lane % 4 * 2 + i % 2) * lane_outputs + lane / 4 + i / 2 * 8] = sums[n][i];
        __syncthreads(); // all parts are complete
        for (int e = thread_index(); e < Shape::output_warps * part; e += block_threads) {
            const int outputs = e / part, r = e % part / lane_outputs, j = e % lane_outputs;
            float v = 0;
            for (int s = 0; s < Shape::sharing; ++s)
                v += parts[(outputs * Shape::sharing + s) * part + r * lane_outputs + j];
            write(row0 + r, (first_tile + outputs) * tile_outputs + j, v);
        }
    }
}

} // namespace apriori::cuda_kernels
