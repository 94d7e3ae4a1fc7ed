// SPDX-License-Identifier: Apache-2.0
// Norms and reductions: one block for each row, and sums in a fixed order, so that results are the same to the bit
// every time.
#pragma once

#include "apriori/device/cuda/launch.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/ops.hpp"

#include <algorithm>
#include <cmath>

namespace apriori::cuda_kernels {

/// One number of each warp, in shared memory.
template <class T>
struct warp_results {
    T at[block_threads / warp_threads];
};

/// Joins `v` of all threads; each thread gets the result. All threads of the block have to call it. Join has to be
/// commutative: the lanes exchange their values both ways.
template <class T, class Join>
__device__ inline T join_block(T v, Join join, warp_results<T>& results) {
#pragma unroll
    for (int d = warp_threads / 2; d > 0; d /= 2) v = join(v, T(__shfl_xor_sync(all_lanes, v, d)));
    const int warps = thread_count() / warp_threads;
    if (warps == 1) return v;
    __syncthreads(); // all threads have read the results of the last call
    if (thread_index() % warp_threads == 0) results.at[thread_index() / warp_threads] = v;
    __syncthreads();
    v = results.at[0];
    for (int w = 1; w < warps; ++w) v = join(v, results.at[w]);
    return v;
}

/// A function of elements as a join of two numbers.
template <class F>
struct join_by {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return number_in(F{}(one_lane(a), one_lane(b)));
    }
};
/// The larger number; NaN if either is NaN.
struct join_max {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a > b || a != a ? a : b;
    }
};
struct join_min {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a < b ? a : b;
    }
};

/// The row that a policy reduces: n elements of a program, as numbers T.
template <class Cursor, class T>
struct block_row {
    using value = lane_value_t<T, 1, void>;
    struct memory {
        warp_results<T> numbers;
        warp_results<index_t> places;
    };

    const Cursor& elements;
    index_t n;
    memory& results;

    __device__ value element(index_t c) const { return lanes_cast<value>(elements.at(c, 0.0f)); }
    template <class F>
    __device__ value sum(F f) const {
        return joined(T{0}, f, join_by<fn::add>{});
    }
    template <class F>
    __device__ value product(F f) const {
        return joined(T{1}, f, join_by<fn::multiply>{});
    }
    template <class F>
    __device__ value(max)(F f) const {
        return joined(apriori::detail::lowest_or_infinity<T>, f, join_max{});
    }
    template <class F>
    __device__ auto first(F f) const {
        index_t place = n;
        for (index_t c = thread_index(); c < place; c += thread_count())
            if (number_in(f(element(c))) != T{0}) place = c;
        return one_lane(std::int64_t{join_block(place, join_min{}, results.places)});
    }

private:
    template <class F, class Join>
    __device__ value joined(T v, F f, Join join) const {
        for (index_t c = thread_index(); c < n; c += thread_count()) v = join(v, number_in(f(element(c))));
        return one_lane(join_block(v, join, results.numbers));
    }
};
template <class Op>
using block_row_of =
    block_row<decltype(std::declval<const Op&>().input.inner.row(0)), typename decltype(Op::input)::number>;

template <class Op>
__global__ void __launch_bounds__(block_threads) normalize(const __grid_constant__ Op op) {
    begin_kernel();
    auto& results = in_shared_memory<typename block_row_of<Op>::memory>();
    const index_t r = block_index();
    const auto inner = op.input.inner.row(r);
    const block_row_of<Op> row{inner, op.cols, results};
    const auto stats = op.input.policy.reduce(row, op.cols);
    const auto outer = op.input.outer.row(r);
    auto* const to = op.out.row(r);
    for (index_t c = thread_index(); c < op.cols; c += thread_count())
        put(to + c, outer.at(c, op.input.policy.apply(stats, row.element(c))));
}

template <class Op>
__global__ void __launch_bounds__(block_threads) reduce(const __grid_constant__ Op op) {
    begin_kernel();
    auto& results = in_shared_memory<typename block_row_of<Op>::memory>();
    const index_t r = block_index();
    const auto inner = op.input.inner.row(r);
    const auto v = op.input.policy.reduce(block_row_of<Op>{inner, op.cols, results}, op.cols);
    if (thread_index() == 0) put(op.out.row(r), op.input.outer.row(r).at(0, v));
}

/// Threads for a row: whole warps, for about four elements a thread in short rows.
inline int threads_for_row(index_t cols) noexcept {
    return int(std::clamp<index_t>(ceil_div(cols, 4 * warp_threads), 1, block_threads / warp_threads)) * warp_threads;
}

template <class Choices, class P, class In, class Outer, class Out>
status run(target<Choices> on, const ops::normalize<P, In, Outer, Out>& op) noexcept {
    if (op.cols <= 0) return {};
    return launch(on, op.rows, threads_for_row(op.cols), normalize<ops::normalize<P, In, Outer, Out>>, op);
}
template <class Choices, class P, class In, class Outer, class Out>
status run(target<Choices> on, const ops::reduce<P, In, Outer, Out>& op) noexcept {
    return launch(on, op.rows, threads_for_row(op.cols), reduce<ops::reduce<P, In, Outer, Out>>, op);
}

} // namespace apriori::cuda_kernels
