// SPDX-License-Identifier: Apache-2.0
// Launching kernels, and CUDA's errors as values.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/status.hpp"
#include "apriori/expr/plain_row.hpp"

#include <cuda_runtime.h>

namespace apriori {

/// A CUDA error as a status: CUDA's text, which lives as long as the program, with the error's number as `got`.
inline status cuda_status(cudaError_t error) noexcept {
    if (error == cudaSuccess) return {};
    (void)cudaGetLastError(); // clears the error: it is reported only here
    return {errc::device_error, cudaGetErrorString(error), error, 0};
}

namespace cuda_kernels {

inline constexpr int warp_threads = 32;
inline constexpr int block_threads = 256; ///< the largest block of this library's kernels
inline constexpr unsigned all_lanes = 0xffffffffu;

__device__ inline int thread_index() { return int(threadIdx.x); }
__device__ inline int thread_count() { return int(blockDim.x); }
__device__ inline index_t block_index() { return index_t{blockIdx.x}; }

/// The block's number as a row and a column of a table with `columns` columns. The division uses 32 bits, which hold
/// every block's number; in 64 bits it takes a GPU several times as long.
struct block_place {
    index_t row, column;
    __device__ explicit block_place(index_t columns)
        : row(blockIdx.x / unsigned(columns)), column(blockIdx.x % unsigned(columns)) {}
};

/// Where kernels are launched, and their constants (cuda_choices in device.hpp).
template <class Choices>
struct target {
    cudaStream_t stream;
    int processors;          ///< multiprocessors of the GPU
    bool dependent_launches; ///< whether a kernel may begin before the previous one has ended
};

// Programmatic dependent launch (CUDA C++ Programming Guide), from compute capability 9.0 on: the next kernel of the
// stream begins while the last blocks of this one run. Each thread of a kernel that is launched this way calls both
// functions; on older GPUs they do nothing.

/// Lets the next kernel of the stream begin once all blocks of this one have called it or have ended.
__device__ inline void allow_next_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
/// Waits until the kernels before this one have ended and their results are visible. Until then a kernel may read only
/// packed weights, and may not write.
__device__ inline void wait_for_kernels_before() {
#ifdef __CUDACC__
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
#else
    cuda_emulation::wait_for_kernels_before();
#endif
}
/// Both, for kernels that have nothing to request before they wait.
__device__ inline void begin_kernel() {
    allow_next_kernel();
    wait_for_kernels_before();
}

/// The block's shared memory for one T, uninitialised. Within a kernel every call for the same T returns the same
/// object.
template <class T>
__device__ T& in_shared_memory() {
#ifdef __CUDACC__
    __shared__ T memory;
    return memory;
#else
    return cuda_emulation::in_shared_memory<T>();
#endif
}

/// The dynamic shared memory of the launch, aligned to 16 bytes.
__device__ inline std::byte* dynamic_memory() {
#ifdef __CUDACC__
    extern __shared__ __align__(16) std::byte memory[];
    return memory;
#else
    return cuda_emulation::dynamic_memory();
#endif
}

/// Sets `waits` to whether the kernel's code for this GPU was made for compute capability 9.0 or later: only such code
/// waits in wait_for_kernels_before.
template <class... Parameter>
status waits_itself(void (*kernel)(Parameter...), bool& waits) noexcept {
    cudaFuncAttributes made{};
    const status s = cuda_status(cudaFuncGetAttributes(&made, kernel));
    waits = made.ptxVersion >= 90;
    return s;
}

/// How a kernel is launched.
struct launch_options {
    std::size_t shared_bytes = 0;    ///< dynamic memory of each block
    bool dependent_launches = false; ///< the kernel calls wait_for_kernels_before and may begin early
};

/// Launches `blocks` blocks of `threads` threads. A grid has one axis; more than 2^31 - 1 blocks are an error. Does
/// nothing for zero blocks, which CUDA would reject.
template <class... Parameter, class... Argument>
status launch_with(const launch_options& options, cudaStream_t stream, index_t blocks, int threads,
                   void (*kernel)(Parameter...), const Argument&... arguments) noexcept {
    constexpr index_t most = 0x7fffffff;
    constexpr std::size_t granted = 48 * 1024; // more has to be requested
    if (blocks <= 0) return {};
    if (blocks > most) return {errc::unsupported, "cuda: more blocks than a grid can have", blocks, most};
    if (options.shared_bytes > granted)
        if (const status s = cuda_status(
                cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(options.shared_bytes)));
            !s)
            return s;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(unsigned(blocks));
    config.blockDim = dim3(unsigned(threads));
    config.dynamicSmemBytes = options.shared_bytes;
    config.stream = stream;
    cudaLaunchAttribute early{};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    if (options.dependent_launches) {
        bool waits = false;
        if (const status s = waits_itself(kernel, waits); !s) return s;
        config.attrs = &early;
        config.numAttrs = waits ? 1 : 0;
    }
    return cuda_status(cudaLaunchKernelEx(&config, kernel, arguments...));
}
template <class... Parameter, class... Argument>
status launch(cudaStream_t stream, index_t blocks, int threads, void (*kernel)(Parameter...),
              const Argument&... arguments) noexcept {
    return launch_with({}, stream, blocks, threads, kernel, arguments...);
}
/// Launches a kernel of this library that calls wait_for_kernels_before.
template <class Choices, class... Parameter, class... Argument>
status launch(target<Choices> on, index_t blocks, int threads, void (*kernel)(Parameter...),
              const Argument&... arguments) noexcept {
    return launch_with({.dependent_launches = on.dependent_launches}, on.stream, blocks, threads, kernel, arguments...);
}

} // namespace cuda_kernels
} // namespace apriori
