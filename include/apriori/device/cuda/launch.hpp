// SPDX-License-Identifier: Apache-2.0
// Launching kernels, and CUDA's errors as values.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/status.hpp"

#include <cuda_runtime.h>

#include <cstdint>

namespace apriori {

/// CUDA's own text, which lives as long as the program; `got` is the error's number.
inline status cuda_status(cudaError_t error) noexcept {
    if (error == cudaSuccess) return {};
    static_cast<void>(cudaGetLastError()); // reported once, here
    return {errc::device_error, cudaGetErrorString(error), static_cast<std::int64_t>(error), 0};
}

namespace cuda_kernels {

inline constexpr int warp_threads = 32;
inline constexpr int block_threads = 256; ///< the most that a kernel of this library is launched with
inline constexpr unsigned all_lanes = 0xffffffffu;

__device__ inline int thread_index() { return static_cast<int>(threadIdx.x); }
__device__ inline int thread_count() { return static_cast<int>(blockDim.x); }
__device__ inline index_t block_index() { return static_cast<index_t>(blockIdx.x); }

/// How many steps cover n.
__host__ __device__ constexpr index_t steps(index_t n, index_t step) noexcept { return (n + step - 1) / step; }

/// `blocks` blocks of `threads` threads; grids have one axis, whose limit of 2^31 - 1 is the only one to keep.
/// No blocks: nothing to do, and CUDA would refuse.
template <class... Parameter, class... Argument>
status launch(cudaStream_t stream, index_t blocks, int threads, void (*kernel)(Parameter...),
              const Argument&... arguments) noexcept {
    constexpr index_t most = 0x7fffffff;
    if (blocks <= 0) return {};
    if (blocks > most) return {errc::unsupported, "cuda: more blocks than a grid can have", blocks, most};
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.stream = stream;
    return cuda_status(cudaLaunchKernelEx(&config, kernel, arguments...));
}

} // namespace cuda_kernels
} // namespace apriori
