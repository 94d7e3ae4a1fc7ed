// SPDX-License-Identifier: Apache-2.0
// Norms and reductions: a block a row, sums in a fixed order, so that results repeat to the bit.
#pragma once

#include "apriori/device/cuda/launch.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/ops.hpp"

#include <algorithm>
#include <cmath>

namespace apriori::cuda_kernels {

/// One number of each warp, in shared memory.
struct warp_results {
    float at[block_threads / warp_threads];
};

/// `v` of all threads joined; each thread gets the same. All threads of the block call it. Join has to be commutative:
/// the lanes exchange their values both ways.
template <class Join>
__device__ inline float join_block(float v, Join join, warp_results& results) {
#pragma unroll
    for (int d = warp_threads / 2; d > 0; d /= 2) v = join(v, __shfl_xor_sync(all_lanes, v, d));
    const int warps = thread_count() / warp_threads;
    if (warps == 1) return v;
    __syncthreads(); // what the last call left is read
    if (thread_index() % warp_threads == 0) results.at[thread_index() / warp_threads] = v;
    __syncthreads();
    v = results.at[0];
    for (int w = 1; w < warps; ++w) v = join(v, results.at[w]);
    return v;
}

/// The larger; a NaN on either side stays.
struct join_max {
    __device__ float operator()(float a, float b) const { return a > b || a != a ? a : b; }
};

/// What a policy reduces: a row of n elements of a program.
template <class Cursor>
struct block_row {
    const Cursor& elements;
    index_t n;
    warp_results& results;

    template <class F>
    __device__ float sum(F f) const {
        float v = 0;
        for (index_t c = thread_index(); c < n; c += thread_count()) v += f(elements.at(c, 0.0f));
        return join_block(v, fn::add{}, results);
    }
    template <class F>
    __device__ float(max)(F f) const {
        float v = -INFINITY;
        for (index_t c = thread_index(); c < n; c += thread_count()) v = join_max{}(v, f(elements.at(c, 0.0f)));
        return join_block(v, join_max{}, results);
    }
};

template <class Op>
__global__ void __launch_bounds__(block_threads) normalize(const __grid_constant__ Op op) {
    __shared__ warp_results results;
    const index_t r = block_index();
    const auto inner = op.input.inner.row(r);
    const auto stats =
        op.input.policy.reduce(block_row<decltype(op.input.inner.row(0))>{inner, op.cols, results}, op.cols);
    const auto outer = op.input.outer.row(r);
    float* const to = op.out.row(r);
    for (index_t c = thread_index(); c < op.cols; c += thread_count())
        to[c] = outer.at(c, op.input.policy.apply(stats, inner.at(c, 0.0f)));
}

template <class Op>
__global__ void __launch_bounds__(block_threads) reduce(const __grid_constant__ Op op) {
    __shared__ warp_results results;
    const index_t r = block_index();
    const auto inner = op.input.inner.row(r);
    const float v =
        op.input.policy.reduce(block_row<decltype(op.input.inner.row(0))>{inner, op.cols, results}, op.cols);
    if (thread_index() == 0) op.out.row(r)[0] = op.input.outer.row(r).at(0, v);
}

/// Threads for a row: a few elements each, whole warps.
inline int threads_for_row(index_t cols) noexcept {
    return int(std::clamp<index_t>(ceil_div(cols, 4 * warp_threads), 1, block_threads / warp_threads)) * warp_threads;
}

template <class Choices, class P, class In, class O>
status run(target<Choices> on, const ops::normalize<P, In, O>& op) noexcept {
    if (op.cols <= 0) return {};
    return launch(on.stream, op.rows, threads_for_row(op.cols), normalize<ops::normalize<P, In, O>>, op);
}
template <class Choices, class P, class In, class O>
status run(target<Choices> on, const ops::reduce<P, In, O>& op) noexcept {
    return launch(on.stream, op.rows, threads_for_row(op.cols), reduce<ops::reduce<P, In, O>>, op);
}

} // namespace apriori::cuda_kernels
