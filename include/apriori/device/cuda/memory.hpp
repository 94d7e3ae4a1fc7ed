// SPDX-License-Identifier: Apache-2.0
// Owners of the GPU's resources: a stream with its memory, and recorded launches.
#pragma once

#include "apriori/device/cuda/launch.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace apriori {

namespace cuda_kernels {

struct release_memory {
    cudaStream_t stream = nullptr;
    bool pooled = false;
    /// Returns memory to the pool, for later work of the stream. Without a pool cudaFree waits for the kernels that use
    /// it.
    void operator()(std::byte* p) const noexcept { (void)(pooled ? cudaFreeAsync(p, stream) : cudaFree(p)); }
};
struct release_stream {
    void operator()(cudaStream_t s) const noexcept { (void)cudaStreamDestroy(s); }
};
struct release_pool {
    // The pool is freed once all of its memory has been returned.
    void operator()(cudaMemPool_t p) const noexcept { (void)cudaMemPoolDestroy(p); }
};
struct release_graph {
    void operator()(cudaGraph_t g) const noexcept { (void)cudaGraphDestroy(g); }
    void operator()(cudaGraphExec_t g) const noexcept { (void)cudaGraphExecDestroy(g); }
};
template <class Handle, class Release>
using owned = std::unique_ptr<std::remove_pointer_t<Handle>, Release>;

} // namespace cuda_kernels

/// Memory on the device, aligned to 256 bytes; empty() if the allocation failed. Its queue has to outlive it.
class cuda_buffer {
public:
    cuda_buffer() = default;
    /// Takes memory from the pool in the order of the stream, or with cudaMalloc if there is no pool.
    cuda_buffer(std::size_t bytes, cudaStream_t stream, cudaMemPool_t pool) noexcept {
        void* p = nullptr;
        const std::size_t taken = bytes == 0 ? 1 : bytes;
        if (!cuda_status(pool != nullptr ? cudaMallocFromPoolAsync(&p, taken, pool, stream) : cudaMalloc(&p, taken)))
            return;
        bytes_ = {static_cast<std::byte*>(p), cuda_kernels::release_memory{stream, pool != nullptr}};
        size_ = bytes;
    }

    std::byte* data() const noexcept { return bytes_.get(); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return bytes_ == nullptr; }

private:
    std::unique_ptr<std::byte, cuda_kernels::release_memory> bytes_;
    std::size_t size_ = 0;
};

/// A stream, either one that the queue makes and destroys or the user's, and a pool of memory. The pool keeps freed
/// memory until it is destroyed, so that a repeated call allocates nothing.
class cuda_queue {
public:
    explicit cuda_queue(int ordinal) noexcept {
        state_ = cuda_status(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
        if (!state_) return;
        own_.reset(stream_);
        make_pool(ordinal);
    }
    cuda_queue(int ordinal, cudaStream_t stream) noexcept : stream_(stream) { make_pool(ordinal); }

    cudaStream_t stream() const noexcept { return stream_; }
    const status& state() const noexcept { return state_; } ///< whether the stream and the pool could be made
    cuda_buffer allocate(std::size_t bytes) const noexcept { return {bytes, stream_, pool_.get()}; }

private:
    void make_pool(int ordinal) noexcept {
        int supported = 0;
        state_ = cuda_status(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, ordinal));
        if (!state_ || supported == 0) return;
        cudaMemPoolProps properties{};
        properties.allocType = cudaMemAllocationTypePinned;
        properties.location.type = cudaMemLocationTypeDevice;
        properties.location.id = ordinal;
        cudaMemPool_t pool = nullptr;
        state_ = cuda_status(cudaMemPoolCreate(&pool, &properties));
        if (!state_) return;
        pool_.reset(pool);
        std::uint64_t kept = UINT64_MAX;
        state_ = cuda_status(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept));
    }

    cudaStream_t stream_ = nullptr;
    cuda_kernels::owned<cudaMemPool_t, cuda_kernels::release_pool> pool_;
    cuda_kernels::owned<cudaStream_t, cuda_kernels::release_stream> own_;
    status state_;
};

/// Recorded launches: a CUDA graph that is ready to be launched.
class cuda_graph {
public:
    cuda_graph() = default;

    /// Records the launches that `status launches()` makes on the stream, without running them.
    template <class Launches>
    status record(cudaStream_t stream, Launches&& launches) noexcept {
        if (const status s = cuda_status(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal)); !s)
            return s;
        const status made = launches();
        cudaGraph_t graph = nullptr;
        const status ended = cuda_status(cudaStreamEndCapture(stream, &graph));
        const cuda_kernels::owned<cudaGraph_t, cuda_kernels::release_graph> owner(graph);
        if (!made) return made;
        if (!ended) return ended;
        cudaGraphExec_t ready = nullptr;
        const status s = cuda_status(cudaGraphInstantiate(&ready, graph, 0));
        if (s) ready_.reset(ready);
        return s;
    }
    /// Runs the recorded launches on the stream.
    status launch(cudaStream_t stream) const noexcept { return cuda_status(cudaGraphLaunch(ready_.get(), stream)); }

private:
    cuda_kernels::owned<cudaGraphExec_t, cuda_kernels::release_graph> ready_;
};

} // namespace apriori
