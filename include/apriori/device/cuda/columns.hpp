// SPDX-License-Identifier: Apache-2.0
// Norms and reductions of columns, and operations that go through a row or a column in order: one thread for each row
// or column, so that results are the same to the bit every time. Maps with strided results: one thread for each
// element.
#pragma once

#include "apriori/device/cuda/launch.hpp"
#include "apriori/expr/columns.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/scan.hpp"
#include "apriori/expr/strided.hpp"

namespace apriori::cuda_kernels {

template <class Op>
__global__ void __launch_bounds__(block_threads) columns(const __grid_constant__ Op op) {
    begin_kernel();
    const index_t i = block_index() * thread_count() + thread_index();
    if (i < op.in.groups * op.in.cols) op.run_column(i / op.in.cols, i % op.in.cols);
}
template <class Op>
__global__ void __launch_bounds__(block_threads) map_strided(const __grid_constant__ Op op) {
    begin_kernel();
    const index_t i = block_index() * thread_count() + thread_index();
    if (i < op.rows * op.cols) op.run_element(i / op.cols, i % op.cols);
}
template <class Op>
__global__ void __launch_bounds__(block_threads) scan(const __grid_constant__ Op op) {
    begin_kernel();
    if (const index_t r = block_index() * thread_count() + thread_index(); r < op.rows) ops::scan_row(op, r);
}
template <class Op>
__global__ void __launch_bounds__(block_threads) scatter_add(const __grid_constant__ Op op) {
    begin_kernel();
    if (const index_t c = block_index() * thread_count() + thread_index(); c < op.cols)
        for (index_t i = 0; i < op.count; ++i) op.add_row(i, c, c + 1);
}

template <class Choices, class P, class In, class Outer, class Out>
status run(target<Choices> on, const ops::reduce_columns<P, In, Outer, Out>& op) noexcept {
    return launch(on, ceil_div(op.in.groups * op.in.cols, warp_threads), warp_threads,
                  columns<ops::reduce_columns<P, In, Outer, Out>>, op);
}
template <class Choices, class P, class In, class Outer, class Out>
status run(target<Choices> on, const ops::normalize_columns<P, In, Outer, Out>& op) noexcept {
    return launch(on, ceil_div(op.in.groups * op.in.cols, warp_threads), warp_threads,
                  columns<ops::normalize_columns<P, In, Outer, Out>>, op);
}
template <class Choices, class P, class Out>
status run(target<Choices> on, const ops::map_strided<P, Out>& op) noexcept {
    return launch(on, ceil_div(op.rows * op.cols, block_threads), block_threads, map_strided<ops::map_strided<P, Out>>,
                  op);
}
template <class Choices, class P, class In, class Out>
status run(target<Choices> on, const ops::scan<P, In, Out>& op) noexcept {
    return launch(on, ceil_div(op.rows, warp_threads), warp_threads, scan<ops::scan<P, In, Out>>, op);
}
template <class Choices, class T>
status run(target<Choices> on, const ops::scatter_add<T>& op) noexcept {
    return launch(on, ceil_div(op.cols, warp_threads), warp_threads, scatter_add<ops::scatter_add<T>>, op);
}

} // namespace apriori::cuda_kernels
