// SPDX-License-Identifier: Apache-2.0
// An NVIDIA GPU as a device, with CUDA kernels for every primitive. Include it in files that nvcc compiles (.cu,
// C++20); no further option is needed. Such a file can run expressions on cpu<scalar_arch> too, but not on a CPU device
// with SIMD: nvcc does not accept vector types in functions that kernels share. device/cuda/info.hpp tells whether
// there is a GPU.
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

/// The constants of kernels for compute capability Sm. Specialise it where measurements show a better choice: kernels
/// are templates over these constants rather than over Sm, so that equal choices share their code.
template <int Sm>
struct cuda_choices {
    /// Up to this many rows, or four times as many if there are few tiles, are computed without tiles.
    static constexpr index_t few_rows = 16;
    using wide_tile = cuda_kernels::tile<128, 128, 8>;  ///< if there are enough of them for all multiprocessors
    using narrow_tile = cuda_kernels::tile<64, 64, 16>; ///< otherwise
};

/// The GPU that is current (cudaSetDevice) when the object is made; it has to be current again whenever the object is
/// used. Its compute capability has to be Sm (80 for 8.0) or higher. Launches go to one stream, in order, and return at
/// once; synchronize() waits for them. All pointers in expressions, those of masks and gathers included, point to the
/// GPU's memory; upload and download copy to and from it. The object has to outlive the buffers that it allocates. It
/// keeps the memory of destroyed buffers for later ones. If making the object fails, every call returns that error. For
/// the members that all devices have see device/concept.hpp.
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
    /// Weights in f32, f16, bf16, bf16a16, w8 or w4. All but f32 need tensor cores with bfloat16 (Sm 80 or higher).
    template <class Format>
    requires(std::is_same_v<Format, f32> || Sm >= 80)
    using packed = cuda_packed<Format>;

    /// Makes a stream for this object, which does not wait for the default stream.
    cuda() noexcept : ordinal_(current()), queue_(ordinal_), state_(queue_.state()) { look(); }
    /// Uses the caller's stream, which has to outlive the object.
    explicit cuda(cudaStream_t stream) noexcept
        : ordinal_(current()), queue_(ordinal_, stream), state_(queue_.state()) {
        look();
    }

    /// The stream of all launches and copies.
    cudaStream_t stream() const noexcept { return queue_.stream(); }
    /// Whether this library's kernels may begin while the kernels before them end, on GPUs of compute capability 9.0 or
    /// higher: a contraction then loads its first weights early. Only pack may then write packed weights.
    void dependent_launches(bool allowed) noexcept { dependent_launches_ = allowed; }
    /// The number of the GPU's multiprocessors.
    int multiprocessors() const noexcept { return processors_; }

    /// An empty buffer on failure, and also while the user records the stream: memory allocated then would belong to
    /// the recording.
    buffer allocate(std::size_t bytes) noexcept {
        cudaStreamCaptureStatus now = cudaStreamCaptureStatusNone;
        const bool recorded = state_ && capture(now) && now != cudaStreamCaptureStatusNone;
        return state_ && !recorded ? queue_.allocate(bytes) : buffer();
    }
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

    /// False on the default stream, which CUDA cannot record, and while the user records the stream.
    bool records() const noexcept {
        cudaStreamCaptureStatus now = cudaStreamCaptureStatusNone;
        return state_ && stream() != nullptr && stream() != cudaStreamLegacy && capture(now) &&
               now == cudaStreamCaptureStatusNone;
    }
    /// Records the launches that `status launches()` makes, without running them. replay runs them.
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
        const cuda_kernels::target<choices> on{stream(), processors_, dependent_launches_ && major_ >= 9};
        return state_ ? cuda_kernels::run(on, op) : state_;
    }

private:
    /// The current GPU. If there is none, the queue's first call reports the error.
    static int current() noexcept {
        int ordinal = 0;
        return cuda_status(cudaGetDevice(&ordinal)) ? ordinal : 0;
    }
    void look() noexcept {
        int minor = 0;
        const auto ask = [this](cudaError_t error) {
            if (state_) state_ = cuda_status(error);
        };
        ask(cudaDeviceGetAttribute(&major_, cudaDevAttrComputeCapabilityMajor, ordinal_));
        ask(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal_));
        ask(cudaDeviceGetAttribute(&processors_, cudaDevAttrMultiProcessorCount, ordinal_));
        if (state_ && 10 * major_ + minor < Sm)
            state_ = {errc::unsupported, "cuda: the GPU's compute capability is below the one of cuda<Sm>",
                      10 * major_ + minor, Sm};
    }
    status capture(cudaStreamCaptureStatus& now) const noexcept {
        return cuda_status(cudaStreamIsCapturing(stream(), &now));
    }
    status copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) noexcept {
        if (!state_) return state_;
        if (const status s = cuda_status(cudaMemcpyAsync(to, from, bytes, kind, stream())); !s) return s;
        return cuda_status(cudaStreamSynchronize(stream()));
    }

    int ordinal_;
    cuda_queue queue_;
    status state_;
    int major_ = 0; ///< of the compute capability
    int processors_ = 1;
    bool dependent_launches_ = false;
};

} // namespace apriori
