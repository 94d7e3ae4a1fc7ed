// SPDX-License-Identifier: Apache-2.0
// Attention of a few rows to the keys of earlier passes. A block takes one query and one head and distributes the keys
// over its warps.
#pragma once

#include "apriori/device/cuda/attention.hpp"
#include "apriori/expr/cached_attention.hpp"

namespace apriori::cuda_kernels {

inline constexpr int block_warps = block_threads / warp_threads;

/// A running softmax over the keys of one warp. Lane l holds elements l, l + 32, ... of the sum of values.
template <int Dim>
struct warp_attention {
    static constexpr int each = Dim / warp_threads;
    float q[each], sum[each] = {};
    float top = -INFINITY, total = 0;

    __device__ static int element(int i) { return thread_index() % warp_threads + i * warp_threads; }

    /// Adds one key and its value. All lanes of the warp call it.
    __device__ void see(const float* k, const float* v, index_t dim, float scale) {
        float score = 0;
#pragma unroll
        for (int i = 0; i < each; ++i)
            if (element(i) < dim) score += q[i] * k[element(i)];
#pragma unroll
        for (int d = warp_threads / 2; d > 0; d /= 2) score += __shfl_xor_sync(all_lanes, score, d);
        score *= scale;
        const float highest = fn::fmax(top, score);
        const float decay = std::exp(top - highest), weight = std::exp(score - highest);
        top = highest;
        total = total * decay + weight;
#pragma unroll
        for (int i = 0; i < each; ++i)
            if (element(i) < dim) sum[i] = sum[i] * decay + weight * v[element(i)];
    }
};

/// The group of a row of the output, or -1. All threads of the block call it and get the same result; `found` is in
/// shared memory.
__device__ inline index_t group_of_row(const attention_groups& groups, index_t row, index_t& found) {
    if (groups.each > 0) return unsigned(row) / unsigned(groups.each);
    if (thread_index() == 0) found = -1;
    __syncthreads();
    for (index_t i = thread_index(); i < groups.count; i += block_threads) { // at most one thread finds it
        const index_t first = groups.groups[i].first_out;
        if (row >= first && row < first + groups.groups[i].queries) found = i;
    }
    __syncthreads();
    return found;
}

template <int Dim>
struct cached_attention_memory {
    index_t group;
    float tops[block_warps], totals[block_warps], sums[block_warps][Dim]; // of each warp
};

template <int Dim>
__global__ void __launch_bounds__(block_threads) cached_attention(const __grid_constant__ ops::cached_attention op) {
    begin_kernel();
    auto& [found, tops, totals, sums] = in_shared_memory<cached_attention_memory<Dim>>();
    const block_place place(op.heads);
    const index_t row = place.row, head = place.column, group = group_of_row(op.groups, row, found);
    if (group < 0) return; // all threads or none

    const attention_group g = op.groups.group(group);
    const index_t dim = op.head_dim, width = op.heads * dim, column = head * dim;
    const index_t query = g.first_query + row - g.first_out;
    const int warp = thread_index() / warp_threads;
    warp_attention<Dim> seen;
#pragma unroll
    for (int i = 0; i < seen.each; ++i) {
        const int d = seen.element(i);
        seen.q[i] = d < dim ? op.own[query * op.stride + column + d] : 0.0f;
    }
    index_t turn = warp; // keys before this warp's next one
    const auto see_rows = [&](const float* keys, index_t count, index_t stride) {
        for (; turn < count; turn += block_warps) {
            const float* const k = keys + turn * stride + column;
            seen.see(k, k + width, dim, op.scale);
        }
        turn -= count;
    };
    for (const cached_rows& past : g.past)
        if (past.count > 0) see_rows(past.row(op.layer, 0), past.count, past.stride);
    const index_t own = op.groups.causal ? g.first_row : query;
    see_rows(op.own + own * op.stride + width, query - own + 1, op.stride);

    if (thread_index() % warp_threads == 0) {
        tops[warp] = seen.top;
        totals[warp] = seen.total;
    }
#pragma unroll
    for (int i = 0; i < seen.each; ++i) sums[warp][seen.element(i)] = seen.sum[i];
    __syncthreads(); // all warps have stored their parts

    float highest = tops[0], total = 0;
    for (int w = 1; w < block_warps; ++w) highest = fn::fmax(highest, tops[w]);
    for (int w = 0; w < block_warps; ++w) total += totals[w] * std::exp(tops[w] - highest);
    for (int d = thread_index(); d < dim; d += block_threads) {
        float v = 0;
        for (int w = 0; w < block_warps; ++w) v += sums[w][d] * std::exp(tops[w] - highest);
        op.out[row * op.out_stride + column + d] = v / total;
    }
}

template <class Choices>
status run(target<Choices> on, const ops::cached_attention& op) noexcept {
    if (op.head_dim > most_head_dim) return heads_too_wide(op.head_dim);
    const index_t blocks = op.groups.out_rows * op.heads;
    if (op.head_dim <= 64) return launch(on, blocks, block_threads, cached_attention<64>, op);
    if (op.head_dim <= 128) return launch(on, blocks, block_threads, cached_attention<128>, op);
    return launch(on, blocks, block_threads, cached_attention<256>, op);
}

} // namespace apriori::cuda_kernels
