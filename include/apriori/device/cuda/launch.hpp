// SPDX-License-Identifier: Apache-2.0
// Launching kernels, and CUDA's errors as values.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/status.hpp"
#include "apriori/expr/plain_row.hpp"

#include <cuda_runtime.h>

namespace apriori {

/// CUDA's own text, which lives as long as the program; `got` is the error's number.
inline status cuda_status(cudaError_t error) noexcept {
    if (error == cudaSuccess) return {};
    (void)cudaGetLastError(); // reported once, here
    return {errc::device_error, cudaGetErrorString(error), error, 0};
}

namespace cuda_kernels {

inline constexpr int warp_threads = 32;
inline constexpr int block_threads = 256; ///< the most that a kernel of this library is launched with
inline constexpr unsigned all_lanes = 0xffffffffu;

__device__ inline int thread_index() { return int(threadIdx.x); }
__device__ inline int thread_count() { return int(blockDim.x); }
__device__ inline index_t block_index() { return index_t{blockIdx.x}; }

/// The block's number as a place in a table with `columns` columns. Divided in 32 bits, which hold every block's number: 64 bits take
/// a GPU several times as long.
struct block_place {
    index_t row, column;
    __device__ explicit block_place(index_t columns)
        : row(blockIdx.x / unsigned(columns)), column(blockIdx.x % unsigned(columns)) {}
};

/// Where kernels are launched, and what they are made of (cuda_choices in device.hpp).
template <class Choices>
struct target {
    cudaStream_t stream;
    int processors; ///< multiprocessors of the GPU
};

/// The block's shared memory for one T, uninitialised: the same object wherever a kernel asks for that type.
template <class T>
__device__ T& in_shared_memory() {
#ifdef __CUDACC__
    __shared__ T memory;
    return memory;
#else
    return cuda_emulation::in_shared_memory<T>();
#endif
}

/// The shared memory that a kernel is launched with, aligned to 16.
__device__ inline std::byte* dynamic_memory() {
#ifdef __CUDACC__
    extern __shared__ __align__(16) std::byte memory[];
    return memory;
#else
    return cuda_emulation::dynamic_memory();
#endif
}

/// `blocks` blocks of `threads` threads, each with `shared` bytes of dynamic memory; grids have one axis, whose limit of 2^31 - 1 is the
/// only one to keep. No blocks: nothing to do, and CUDA would refuse.
template <class... Parameter, class... Argument>
status launch_with(std::size_t shared, cudaStream_t stream, index_t blocks, int threads, void (*kernel)(Parameter...),
                   const Argument&... arguments) noexcept {
    constexpr index_t most = 0x7fffffff;
    constexpr std::size_t granted = 48 * 1024; // more has to be asked for
    if (blocks <= 0) return {};
    if (blocks > most) return {errc::unsupported, "cuda: more blocks than a grid can have", blocks, most};
    if (shared > granted)
        if (const status s =
                cuda_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)));
            !s)
            return s;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(unsigned(blocks));
    config.blockDim = dim3(unsigned(threads));
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    return cuda_status(cudaLaunchKernelEx(&config, kernel, arguments...));
}
template <class... Parameter, class... Argument>
status launch(cudaStream_t stream, index_t blocks, int threads, void (*kernel)(Parameter...),
              const Argument&... arguments) noexcept {
    return launch_with(0, stream, blocks, threads, kernel, arguments...);
}

} // namespace cuda_kernels
} // namespace apriori
