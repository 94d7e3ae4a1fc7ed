// SPDX-License-Identifier: Apache-2.0
// An NVIDIA GPU as a device: CUDA kernels for every primitive. Include it in files that nvcc compiles (.cu, C++20); no
// further option is needed. Such a file cannot run expressions on a cpu with SIMD too, since nvcc takes no vector types in
// functions that kernels share; cpu<scalar_arch> it can. Whether a GPU is there: device/cuda/info.hpp.
#pragma once

#include "apriori/device/concept.hpp"
#include "apriori/device/cuda/attention.hpp"
#include "apriori/device/cuda/cached_attention.hpp"
#include "apriori/device/cuda/columns.hpp"
#include "apriori/device/cuda/contraction.hpp"
#include "apriori/device/cuda/map.hpp"
#include "apriori/device/cuda/matmul.hpp"
#include "apriori/device/cuda/memory.hpp"
#include "apriori/device/cuda/row_kernels.hpp"

namespace apriori {

/// What kernels are made of on compute capability Sm. To be specialised where a measurement says so: kernels are
/// templates over these constants and not over Sm, so that equal choices share their code.
template <int Sm>
struct cuda_choices {
    static constexpr index_t few_rows = 16;             ///< up to this many, weights are read once and without tiles
    using wide_tile = cuda_kernels::tile<128, 128, 8>;  ///< where there are enough of them for all multiprocessors
    using narrow_tile = cuda_kernels::tile<64, 64, 16>; ///< otherwise
};

/// The GPU that is current (cudaSetDevice) when the object is made, and has to be when it is used; of compute capability
/// Sm (80 for 8.0) or higher. Launches go to one stream, in order, and return at once: synchronize() waits. All pointers
/// in expressions, a mask's and a gather's included, are the device's; upload and download are the bridge. The object has to outlive
/// the buffers that it allocates, and keeps the memory of those that are gone for the next ones.
/// What failed when the object was made is what every call returns.
template <int Sm>
class cuda {
    static_assert(Sm >= 75, "apriori: cuda<Sm>: Sm is a compute capability in tenths, 75 or more: cuda<80>, cuda<90>");

public:
    static constexpr const char* name = "cuda";
    static constexpr bool fuses_prologue = false;
    static constexpr int sm = Sm;
    using choices = cuda_choices<Sm>;
    using buffer = cuda_buffer;
    using recording = cuda_graph;
    static constexpr index_t most_rows = 1024; ///< steps of a sampling that are processed together
    /// f32, f16, bf16, bf16a16, w8 or w4; all but f32 need tensor cores that take bfloat16.
    template <class Format>
    requires(std::is_same_v<Format, f32> || Sm >= 80)
    using packed = cuda_packed<Format>;

    /// A stream of its own, which does not wait for the default stream.
    cuda() noexcept : ordinal_(current()), queue_(ordinal_), state_(queue_.state()) { look(); }
    /// The user's stream, which has to outlive the object.
    explicit cuda(cudaStream_t stream) noexcept
        : ordinal_(current()), queue_(ordinal_, stream), state_(queue_.state()) {
        look();
    }

    cudaStream_t stream() const noexcept { return queue_.stream(); }
    int multiprocessors() const noexcept { return processors_; }

    buffer allocate(std::size_t bytes) noexcept { return state_ ? queue_.allocate(bytes) : buffer(); }
    status upload(void* to, const void* from, std::size_t bytes) noexcept {
        return copy(to, from, bytes, cudaMemcpyHostToDevice);
    }
    status download(void* to, const void* from, std::size_t bytes) noexcept {
        return copy(to, from, bytes, cudaMemcpyDeviceToHost);
    }
    template <class Format>
    status pack(cuda_packed<Format> w, index_t first, std::span<const float> rows) noexcept {
        return state_ ? pack_rows(queue_, w, first, rows) : state_;
    }
    status synchronize() noexcept { return state_ ? cuda_status(cudaStreamSynchronize(stream())) : state_; }

    /// False on the default stream, which CUDA does not record, and while the user records the stream.
    bool records() const noexcept {
        cudaStreamCaptureStatus now = cudaStreamCaptureStatusNone;
        return state_ && stream() != nullptr && stream() != cudaStreamLegacy &&
               cuda_status(cudaStreamIsCapturing(stream(), &now)) && now == cudaStreamCaptureStatusNone;
    }
    template <class Launches>
    status record(recording& to, Launches&& launches) noexcept {
        return state_ ? to.record(stream(), launches) : state_;
    }
    status replay(const recording& launches) noexcept { return state_ ? launches.launch(stream()) : state_; }

    template <class Op>
    static constexpr std::size_t scratch_bytes(const Op&) noexcept {
        return 0;
    }

    template <class Op>
    requires requires(cuda_kernels::target<choices> on, const Op& op) { cuda_kernels::run(on, op); }
    status run(const Op& op) noexcept {
        return state_ ? cuda_kernels::run(cuda_kernels::target<choices>{stream(), processors_}, op) : state_;
    }

private:
    /// The GPU that is current; where there is none the queue's first call says so.
    static int current() noexcept {
        int ordinal = 0;
        return cuda_status(cudaGetDevice(&ordinal)) ? ordinal : 0;
    }
    void look() noexcept {
        int major = 0, minor = 0;
        const auto ask = [this](cudaError_t error) {
            if (state_) state_ = cuda_status(error);
        };
        ask(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal_));
        ask(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal_));
        ask(cudaDeviceGetAttribute(&processors_, cudaDevAttrMultiProcessorCount, ordinal_));
        if (state_ && 10 * major + minor < Sm)
            state_ = {errc::unsupported, "cuda: the GPU's compute capability is below the one of cuda<Sm>",
                      10 * major + minor, Sm};
    }
    status copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) noexcept {
        if (!state_) return state_;
        if (const status s = cuda_status(cudaMemcpyAsync(to, from, bytes, kind, stream())); !s) return s;
        return cuda_status(cudaStreamSynchronize(stream()));
    }

    int ordinal_;
    cuda_queue queue_;
    status state_;
    int processors_ = 1;
};

} // namespace apriori
