// SPDX-License-Identifier: Apache-2.0
// Memory of the GPU and a queue of work for it, each with an owner.
#pragma once

#include "apriori/device/cuda/launch.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>

namespace apriori {

namespace cuda_kernels {

struct release_memory {
    void operator()(std::byte* p) const noexcept { (void)cudaFree(p); } // waits for the kernels that use it
};
struct release_stream {
    void operator()(cudaStream_t s) const noexcept { (void)cudaStreamDestroy(s); }
};

} // namespace cuda_kernels

/// Bytes on the device, aligned to 256; empty() after an allocation that failed.
class cuda_buffer {
public:
    cuda_buffer() = default;
    explicit cuda_buffer(std::size_t bytes) noexcept {
        void* p = nullptr;
        if (!cuda_status(cudaMalloc(&p, bytes == 0 ? 1 : bytes))) return;
        bytes_.reset(static_cast<std::byte*>(p));
        size_ = bytes;
    }

    std::byte* data() const noexcept { return bytes_.get(); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return bytes_ == nullptr; }

private:
    std::unique_ptr<std::byte, cuda_kernels::release_memory> bytes_;
    std::size_t size_ = 0;
};

/// A stream that is destroyed with its owner, or one of the user's, which is not.
class cuda_queue {
public:
    cuda_queue() noexcept : state_(cuda_status(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking))) {
        if (state_) own_.reset(stream_);
    }
    explicit cuda_queue(cudaStream_t stream) noexcept : stream_(stream) {}

    cudaStream_t stream() const noexcept { return stream_; }
    const status& state() const noexcept { return state_; } ///< whether the stream could be made

private:
    cudaStream_t stream_ = nullptr;
    std::unique_ptr<std::remove_pointer_t<cudaStream_t>, cuda_kernels::release_stream> own_;
    status state_;
};

} // namespace apriori
