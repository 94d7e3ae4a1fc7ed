// SPDX-License-Identifier: Apache-2.0
// Attention that never writes its scores to global memory. A block takes a few queries of one head of one sequence and
// goes over the keys once, with the running maximum and sum of Milakov and Gimelshein's online softmax
// (arXiv:1805.02867).
#pragma once

#include "apriori/device/cuda/tile_product.hpp"
#include "apriori/expr/functions.hpp"

#include <cmath>

namespace apriori::cuda_kernels {

inline constexpr index_t most_head_dim = 256;
inline status heads_too_wide(index_t dim) noexcept {
    return {errc::unsupported, "cuda: attention heads are wider than its kernels hold", dim, most_head_dim};
}

/// Sizes for heads of up to Dim numbers: the queries of a block, and the keys that it takes at a time. A block has 16 x
/// 16 threads; `memory` fits into static shared memory.
template <int Dim>
struct attention_tile {
    static_assert(Dim % 64 == 0 && Dim <= most_head_dim);
    static constexpr int rows = Dim > 128 ? 16 : 32;
    static constexpr int each = rows / 16; ///< queries of a thread, and keys, 16 apart
    static constexpr int quads = Dim / 64; ///< float4s of a result row that a thread sums
    struct alignas(16) matrix {
        float at[rows][Dim + 4];
    };
    struct weight_matrix {
        float at[rows][rows + 1];
    };
    struct memory {
        matrix queries;
        matrix keys; ///< then the values
        weight_matrix weights;
    };
};

/// Loads up to `rows` rows of `dim` numbers into shared memory and fills the rest with zeros.
template <int Dim>
__device__ inline void load_rows(typename attention_tile<Dim>::matrix& to, const float* from, index_t stride,
                                 index_t rows, index_t dim, bool aligned) {
    constexpr int across = Dim / 4;
    for (int e = thread_index(); e < attention_tile<Dim>::rows * across; e += block_threads) {
        const int r = e / across, d = e % across * 4;
        float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (r < rows) v = load_quad(el::vector{from + r * stride}, d, dim, aligned);
        *reinterpret_cast<float4*>(&to.at[r][d]) = v;
    }
}

/// Joins `v` over the 16 threads of a half warp, which share their queries.
template <class Join>
__device__ inline float join_half_warp(float v, Join join) {
#pragma unroll
    for (int d = 8; d > 0; d /= 2) v = join(v, __shfl_xor_sync(all_lanes, v, d));
    return v;
}

template <int Dim, class Op>
__global__ void __launch_bounds__(block_threads) attention(const __grid_constant__ Op op, bool aligned) {
    begin_kernel();
    using tile = attention_tile<Dim>;
    constexpr int rows = tile::rows, each = tile::each, quads = tile::quads;
    auto& [queries, keys, weights] = in_shared_memory<typename tile::memory>();
    const int x = thread_index() % 16, y = thread_index() / 16;

    const index_t tokens = op.sequences.tokens, tiles = ceil_div(tokens, rows);
    const block_place place(tiles * op.heads);
    const index_t s = place.row;
    const index_t head = unsigned(place.column) / unsigned(tiles);
    const index_t first = (place.column - head * tiles) * rows; // the block's first query
    const index_t begin = s * tokens, column = head * op.head_dim;
    load_rows<Dim>(queries, op.q + (begin + first) * op.q_stride + column, op.q_stride, tokens - first, op.head_dim,
                   aligned);

    float top[each], total[each] = {};
    float4 sum[each][quads];
#pragma unroll
    for (int i = 0; i < each; ++i) {
        top[i] = -INFINITY;
#pragma unroll
        for (int q = 0; q < quads; ++q) sum[i][q] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }

    for (index_t key0 = 0; key0 < tokens; key0 += rows) {
        __syncthreads(); // all threads have read the last values and weights
        load_rows<Dim>(keys, op.k + (begin + key0) * op.k_stride + column, op.k_stride, tokens - key0, op.head_dim,
                       aligned);
        __syncthreads(); // queries and keys are complete

        float score[each][each] = {};
        for (int d = 0; d < op.head_dim; d += 4) {
            float4 b[each];
#pragma unroll
            for (int j = 0; j < each; ++j) b[j] = *reinterpret_cast<const float4*>(&keys.at[x + 16 * j][d]);
#pragma unroll
            for (int i = 0; i < each; ++i) {
                const float4 a = *reinterpret_cast<const float4*>(&queries.at[y + 16 * i][d]);
#pragma unroll
                for (int j = 0; j < each; ++j) score[i][j] += a.x * b[j].x + a.y * b[j].y + a.z * b[j].z + a.w * b[j].w;
            }
        }

#pragma unroll
        for (int i = 0; i < each; ++i) {
            const index_t query = first + y + 16 * i;
            float highest = top[i];
#pragma unroll
            for (int j = 0; j < each; ++j) {
                const index_t key = key0 + x + 16 * j;
                score[i][j] = key < tokens ? score[i][j] * op.scale + op.sequences.bias(s, query, key) : -INFINITY;
                highest = fn::fmax(highest, score[i][j]);
            }
            highest = join_half_warp(highest, fn::maximum{});
            const float decay = std::exp(top[i] - highest);
            float added = 0;
#pragma unroll
            for (int j = 0; j < each; ++j) {
                const float weight = std::exp(score[i][j] - highest);
                weights.at[y + 16 * i][x + 16 * j] = weight;
                added += weight;
            }
            total[i] = total[i] * decay + join_half_warp(added, fn::add{});
            top[i] = highest;
#pragma unroll
            for (int q = 0; q < quads; ++q) {
                sum[i][q].x *= decay;
                sum[i][q].y *= decay;
                sum[i][q].z *= decay;
                sum[i][q].w *= decay;
            }
        }
        __syncthreads(); // all threads have read the keys; the weights are complete
        load_rows<Dim>(keys, op.v + (begin + key0) * op.v_stride + column, op.v_stride, tokens - key0, op.head_dim,
                       aligned);
        __syncthreads(); // values are complete

        const int count = tokens - key0 < rows ? int(tokens - key0) : rows;
        for (int j = 0; j < count; ++j) {
            float4 v[quads];
#pragma unroll
            for (int q = 0; q < quads; ++q) v[q] = *reinterpret_cast<const float4*>(&keys.at[j][64 * q + 4 * x]);
#pragma unroll
            for (int i = 0; i < each; ++i) {
                const float weight = weights.at[y + 16 * i][j];
#pragma unroll
                for (int q = 0; q < quads; ++q) {
                    sum[i][q].x += weight * v[q].x;
                    sum[i][q].y += weight * v[q].y;
                    sum[i][q].z += weight * v[q].z;
                    sum[i][q].w += weight * v[q].w;
                }
            }
        }
    }

#pragma unroll
    for (int i = 0; i < each; ++i) {
        if (first + y + 16 * i >= tokens) continue;
        const index_t r = begin + first + y + 16 * i;
        const auto cursor = op.epilogue.row(r);
        float* const to = op.out.row(r) + column;
        const float inverse = 1.0f / total[i];
#pragma unroll
        for (int q = 0; q < quads; ++q) {
            const float v[4]{sum[i][q].x, sum[i][q].y, sum[i][q].z, sum[i][q].w};
#pragma unroll
            for (int e = 0; e < 4; ++e)
                if (const index_t d = 64 * q + 4 * x + e; d < op.head_dim)
                    to[d] = cursor.at(column + d, v[e] * inverse);
        }
    }
}

template <class Choices, class E>
status run(target<Choices> on, const ops::attention<E>& op) noexcept {
    if (op.head_dim > most_head_dim) return heads_too_wide(op.head_dim);
    if (op.head_dim <= 0) return {};
    const bool aligned = op.head_dim % 4 == 0 && aligned_to_quads(op.q, op.q_stride) &&
                         aligned_to_quads(op.k, op.k_stride) && aligned_to_quads(op.v, op.v_stride);
    const auto of_size = [&]<int Dim>(std::integral_constant<int, Dim>) noexcept {
        const index_t tiles = ceil_div(op.sequences.tokens, attention_tile<Dim>::rows);
        return launch(on, op.sequences.count * op.heads * tiles, block_threads, attention<Dim, ops::attention<E>>, op,
                      aligned);
    };
    if (op.head_dim <= 64) return of_size(std::integral_constant<int, 64>{});
    if (op.head_dim <= 128) return of_size(std::integral_constant<int, 128>{});
    return of_size(std::integral_constant<int, 256>{});
}

} // namespace apriori::cuda_kernels
