// SPDX-License-Identifier: Apache-2.0
// Memory of the GPU and a queue of work for it, each with an owner.
#pragma once

#include "apriori/device/cuda/launch.hpp"

#include <cstddef>
#include <utility>

namespace apriori {

/// Bytes on the device, aligned to 256; empty() after an allocation that failed.
class cuda_buffer {
public:
    cuda_buffer() = default;
    explicit cuda_buffer(std::size_t bytes) noexcept {
        void* p = nullptr;
        if (cuda_status(cudaMalloc(&p, bytes == 0 ? 1 : bytes))) {
            p_ = static_cast<std::byte*>(p);
            size_ = bytes;
        }
    }
    cuda_buffer(cuda_buffer&& o) noexcept : p_(std::exchange(o.p_, nullptr)), size_(std::exchange(o.size_, 0)) {}
    cuda_buffer& operator=(cuda_buffer&& o) noexcept {
        std::swap(p_, o.p_);
        std::swap(size_, o.size_);
        return *this;
    }
    ~cuda_buffer() {
        if (p_) (void)cudaFree(p_); // waits for the kernels that use it
    }

    std::byte* data() const noexcept { return p_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return p_ == nullptr; }

private:
    std::byte* p_ = nullptr;
    std::size_t size_ = 0;
};

/// A stream that is destroyed with its owner, or one of the user's, which is not.
class cuda_queue {
public:
    cuda_queue() noexcept : state_(cuda_status(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking))) {
        owned_ = bool(state_);
    }
    explicit cuda_queue(cudaStream_t stream) noexcept : stream_(stream) {}
    cuda_queue(cuda_queue&& o) noexcept
        : stream_(std::exchange(o.stream_, nullptr)), owned_(std::exchange(o.owned_, false)), state_(o.state_) {}
    cuda_queue& operator=(cuda_queue&& o) noexcept {
        std::swap(stream_, o.stream_);
        std::swap(owned_, o.owned_);
        std::swap(state_, o.state_);
        return *this;
    }
    ~cuda_queue() {
        if (owned_) (void)cudaStreamDestroy(stream_);
    }

    cudaStream_t stream() const noexcept { return stream_; }
    const status& state() const noexcept { return state_; } ///< whether the stream could be made

private:
    cudaStream_t stream_ = nullptr;
    bool owned_ = false;
    status state_;
};

} // namespace apriori
