// SPDX-License-Identifier: Apache-2.0
// Enough of CUDA's runtime to run kernels on the host, for machines without a GPU: before CUDA on the include path, it
// turns the kernels of device/cuda into plain C++. Blocks run one after the other; the threads of a block are fibers. A
// warp runs as far ahead of the others as barriers allow, and either the first or the last warp runs first: a missing
// barrier shows as a wrong result in one of the two orders, a barrier that not all threads reach as an abort. Device
// memory is on the heap, so that a sanitizer sees accesses out of bounds. Memory is filled with NaNs when it is
// allocated, and a block's shared memory when the block starts. A launch that may begin early (programmatic dependent
// launch) does so: one of its blocks runs until it waits, before the previous launch has run at all. Speed here says
// nothing about GPUs.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __launch_bounds__(...)

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
    constexpr dim3() = default;
    constexpr explicit dim3(unsigned x) : x(x) {}
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
constexpr float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorStreamCaptureUnsupported = 900
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaDeviceAttr {
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMemoryPoolsSupported = 115
};
/// A stream, and the launches that it records.
struct cuda_emulation_graph {
    std::vector<std::function<void()>> launches;
};
struct cuda_emulation_stream {
    std::unique_ptr<cuda_emulation_graph> recorded; ///< while the stream is being recorded
};
using cudaStream_t = cuda_emulation_stream*;
using cudaGraph_t = cuda_emulation_graph*;
using cudaGraphExec_t = struct cuda_emulation_ready_graph*;
struct cuda_emulation_ready_graph {
    cuda_emulation_graph graph;
};
using cudaMemPool_t = struct cuda_emulation_pool*;
inline cudaStream_t const cudaStreamLegacy = reinterpret_cast<cudaStream_t>(1);
inline constexpr unsigned cudaStreamNonBlocking = 1;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive };
enum cudaMemAllocationType { cudaMemAllocationTypePinned };
enum cudaMemLocationType { cudaMemLocationTypeDevice };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold };
struct cudaMemPoolProps {
    cudaMemAllocationType allocType;
    struct {
        cudaMemLocationType type;
        int id;
    } location;
};
enum cudaLaunchAttributeID { cudaLaunchAttributeIgnore, cudaLaunchAttributeProgrammaticStreamSerialization };
struct cudaLaunchAttribute {
    cudaLaunchAttributeID id;
    struct {
        int programmaticStreamSerializationAllowed;
    } val;
};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    std::size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute* attrs;
    unsigned numAttrs;
};
struct cudaFuncAttributes {
    int ptxVersion;
};

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_emulation {

enum class order { forward, backward };

inline order thread_order = order::forward;   ///< in which the threads of a block run
inline int processors = 1;                    ///< multiprocessors of the GPU
inline cudaError_t next_launch = cudaSuccess; ///< what the next launch returns instead of running
inline std::size_t launches = 0;              ///< so far, including those of graphs
inline std::size_t graph_launches = 0;        ///< so far, each counted once
inline std::size_t copies = 0;                ///< between host and device, and waits for the device, so far
inline std::size_t allocations = 0;           ///< of memory that no pool had, so far

inline bool is_recorded(cudaStream_t s) { return s != nullptr && s != cudaStreamLegacy && s->recorded != nullptr; }

/// Threads that wait for each other.
struct barrier {
    int expected = 0, arrived = 0;
    unsigned round = 0;
};

/// The shared memory of kernels, for each type that they requested.
inline std::vector<std::pair<void*, std::size_t>> shared;

/// A block, with its threads as fibers.
class block {
public:
    /// The running block.
    static block& current() { return *running(); }

    /// Makes this block `index` of a grid, with `dynamic` bytes of dynamic memory, and fills its shared memory with
    /// NaNs.
    void start(unsigned index, int threads, std::size_t dynamic, const std::function<void()>& body) {
        if (threads % 32 != 0 || threads > most_threads) fail("the emulation takes blocks of whole warps");
        body_ = &body;
        index_ = index;
        waiting_ = 0;
        may_pass_ = false;
        all_ = {threads, 0, 0};
        warps_.assign(at(threads / 32), {32, 0, 0});
        done_.assign(at(threads), false);
        copies_.assign(at(threads), {{}});
        for (int t = 0; t < threads; ++t) start(t);
        left_ = threads;
        dynamic_.assign(dynamic + 15, 0xff);
        for (const auto& [memory, size] : shared) std::memset(memory, 0xff, size);
    }
    unsigned index() const { return index_; }
    /// Runs it until all of its threads wait for the previous launches or have ended, and saves its shared memory for
    /// later.
    void run_until_it_waits() {
        run([this] { return left_ > waiting_; });
        kept_.clear();
        for (const auto& [memory, size] : shared) {
            const auto* const p = static_cast<const unsigned char*>(memory);
            kept_.emplace_back(memory, std::vector<unsigned char>(p, p + size));
        }
    }
    /// Runs it to its end.
    void run_to_its_end() {
        may_pass_ = true;
        for (const auto& [memory, bytes] : std::exchange(kept_, {})) std::memcpy(memory, bytes.data(), bytes.size());
        run([this] { return left_ > 0; });
    }

    /// Aligned to 16 bytes, as on a GPU.
    std::byte* dynamic_memory() {
        const auto address = reinterpret_cast<std::uintptr_t>(dynamic_.data());
        return reinterpret_cast<std::byte*>((address + 15) / 16 * 16);
    }

    void wait_for_kernels_before() {
        if (may_pass_) return;
        ++waiting_;
        ++events_;
        for (const int me = now_; !may_pass_;) swapcontext(&fibers_[at(me)], &scheduler_);
    }
    void wait_block() { wait(all_); }
    void wait_warp() { wait(warps_[at(now_ / 32)]); }

    /// Each lane of a warp deposits a value; then `read` gets a function that returns the deposit of lane 0 .. 31.
    template <class T, class Read>
    void share_in_warp(const T& mine, Read&& read) {
        static_assert(sizeof(T) <= sizeof(deposit));
        const int first = now_ / 32 * 32;
        std::memcpy(&deposits_[at(now_)], &mine, sizeof(T));
        wait_warp();
        read([this, first](int lane) {
            T v;
            std::memcpy(&v, &deposits_[at(first + lane)], sizeof(T));
            return v;
        });
        wait_warp();
    }

    // Asynchronous copies: they are made when the thread waits for them; until then their destination holds NaNs.
    void copy_ahead(void* to, const void* from, std::size_t bytes) {
        std::memset(to, 0xff, bytes);
        copies_[at(now_)].back().push_back([=] { std::memcpy(to, from, bytes); });
    }
    void end_copies() { copies_[at(now_)].emplace_back(); }
    void wait_for_copies(int groups) {
        auto& mine = copies_[at(now_)];
        for (std::size_t i = 0; i + 1 + at(groups) < mine.size(); ++i) {
            for (const auto& copy : mine[i]) copy();
            mine[i].clear();
        }
    }
    template <class T>
    T exchange(T v, int lane_mask) {
        static_assert(sizeof(T) <= sizeof(double));
        barrier& warp = warps_[at(now_ / 32)];
        const int me = now_;
        std::memcpy(&slots_[at(me)], &v, sizeof(T));
        wait(warp);
        T other;
        std::memcpy(&other, &slots_[at(me ^ lane_mask)], sizeof(T));
        wait(warp);
        return other;
    }

    [[noreturn]] static void fail(const char* what) {
        std::fprintf(stderr, "cuda_emulation: %s (block %u, thread %u)\n", what, blockIdx.x, threadIdx.x);
        std::abort();
    }

private:
    static constexpr int most_threads = 1024;
    static constexpr std::size_t stack_bytes = 256 * 1024;

    static std::size_t at(int i) { return static_cast<std::size_t>(i); }
    static block*& running() {
        static block* b = nullptr;
        return b;
    }
    template <class Condition>
    void run(Condition&& more) {
        running() = this;
        blockIdx.x = index_;
        const int warps = static_cast<int>(warps_.size());
        while (more()) {
            const std::size_t before = events_;
            for (int w = 0; w < warps; ++w) left_ -= run_warp(thread_order == order::backward ? warps - 1 - w : w);
            if (events_ == before) fail("threads wait at a barrier that the others never reach");
        }
    }
    /// Runs the threads of a warp until all of them wait for others or have ended. Returns how many have ended.
    int run_warp(int warp) {
        int left = 0;
        for (std::size_t before = events_ + 1; before != events_;) {
            before = events_;
            for (int i = 0; i < 32; ++i) {
                now_ = warp * 32 + (thread_order == order::backward ? 31 - i : i);
                if (done_[at(now_)]) continue;
                threadIdx.x = static_cast<unsigned>(now_);
                swapcontext(&scheduler_, &fibers_[at(now_)]);
                left += done_[at(now_)] ? 1 : 0;
            }
        }
        return left;
    }
    static void enter() { running()->live(); }
    void live() {
        (*body_)();
        done_[at(now_)] = true;
        ++events_;
        --all_.expected; // as on the GPU, a block's barrier does not wait for threads that have ended; a warp's does
        open(all_);
        swapcontext(&fibers_[at(now_)], &scheduler_);
    }
    void start(int t) {
        if (!stacks_[at(t)]) stacks_[at(t)].reset(new char[stack_bytes]);
        getcontext(&fibers_[at(t)]);
        fibers_[at(t)].uc_stack.ss_sp = stacks_[at(t)].get();
        fibers_[at(t)].uc_stack.ss_size = stack_bytes;
        fibers_[at(t)].uc_link = nullptr;
        makecontext(&fibers_[at(t)], enter, 0);
    }
    bool open(barrier& b) {
        if (b.arrived == 0 || b.arrived != b.expected) return false;
        b.arrived = 0;
        ++b.round;
        ++events_;
        return true;
    }
    void wait(barrier& b) {
        const unsigned round = b.round;
        const int me = now_;
        ++b.arrived;
        if (open(b)) return;
        while (b.round == round) swapcontext(&fibers_[at(me)], &scheduler_);
    }

    const std::function<void()>* body_ = nullptr;
    ucontext_t scheduler_{};
    std::vector<ucontext_t> fibers_{most_threads};
    std::vector<std::unique_ptr<char[]>> stacks_{most_threads};
    std::vector<double> slots_ = std::vector<double>(most_threads); ///< room for any number
    struct deposit {
        std::uint32_t words[8];
    };
    std::vector<deposit> deposits_ = std::vector<deposit>(most_threads);
    std::vector<std::vector<std::vector<std::function<void()>>>> copies_; ///< of a thread, in groups, the open one last
    std::vector<bool> done_;
    std::vector<barrier> warps_;
    barrier all_;
    int now_ = 0;
    std::size_t events_ = 0;
    unsigned index_ = 0;                 ///< of the block in its grid
    int left_ = 0, waiting_ = 0;         ///< threads that have not ended; those of them that wait for kernels before
    bool may_pass_ = false;              ///< whether the kernels before have ended
    std::vector<unsigned char> dynamic_; ///< filled with NaNs when the block starts
    std::vector<std::pair<void*, std::vector<unsigned char>>> kept_; ///< shared memory, while another block uses it
};

} // namespace cuda_emulation

inline void __syncthreads() { cuda_emulation::block::current().wait_block(); }
inline void __syncwarp() { cuda_emulation::block::current().wait_warp(); }

namespace cuda_emulation {

template <class T>
T& in_shared_memory() {
    static_assert(std::is_trivially_default_constructible_v<T>, "a GPU does not run constructors there");
    static T& object = []() -> T& {
        static T memory;
        std::memset(static_cast<void*>(&memory), 0xff, sizeof(T));
        shared.emplace_back(&memory, sizeof(T));
        return memory;
    }();
    return object;
}

inline std::byte* dynamic_memory() { return block::current().dynamic_memory(); }
inline void wait_for_kernels_before() { block::current().wait_for_kernels_before(); }

/// mma.sync m16n8k16 of bfloat16: d += a b.
inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    struct words {
        std::uint32_t a[4], b[2];
    } mine;
    std::memcpy(mine.a, a, sizeof(a));
    std::memcpy(mine.b, b, sizeof(b));
    const auto number = [](std::uint32_t word, int upper) {
        const std::uint32_t bits = upper ? word & 0xffff0000u : word << 16;
        float x;
        std::memcpy(&x, &bits, sizeof(x));
        return x;
    };
    const int lane = static_cast<int>(threadIdx.x % 32);
    block::current().share_in_warp(mine, [&](auto of_lane) {
        for (int i = 0; i < 4; ++i) {
            const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            float sum = 0; // of sixteen products, and then the old value
            for (int k = 0; k < 16; ++k) {
                const words left = of_lane(row % 8 * 4 + k % 8 / 2), right = of_lane(column * 4 + k % 8 / 2);
                sum += number(left.a[row / 8 + k / 8 * 2], k % 2) * number(right.b[k / 8], k % 2);
            }
            d[i] += sum;
        }
    });
}
inline void copy_ahead(void* to, const void* from, std::size_t bytes) { block::current().copy_ahead(to, from, bytes); }
inline void end_copies() { block::current().end_copies(); }
inline void wait_for_copies(int groups) { block::current().wait_for_copies(groups); }

} // namespace cuda_emulation
template <class T>
T __shfl_xor_sync(unsigned, T v, int lane_mask) {
    return cuda_emulation::block::current().exchange(v, lane_mask);
}

namespace cuda_emulation {

/// A kernel with its arguments and its grid.
struct kernel_launch {
    dim3 blocks, threads;
    std::size_t dynamic = 0;
    bool early = false; ///< whether it may begin before the previous one has ended
    std::function<void()> body;
};

/// The kernels of all streams, one after the other. A kernel that may begin early is held back, with its first block
/// waiting, until the next one has begun or the host waits.
class queue {
public:
    static queue& only() {
        static queue q;
        return q;
    }
    void launch(const kernel_launch& next) {
        ++launches;
        if (!next.early) finish();
        const int last = std::exchange(turn_, 1 - turn_);
        grids_[turn_] = next;
        begin(thread_order == order::backward ? next.blocks.x - 1 : 0);
        if (!next.early) return end();
        blocks_[turn_].run_until_it_waits();
        const int turn = std::exchange(turn_, last);
        finish();
        turn_ = turn;
        held_ = true;
    }
    /// Runs the kernel that is held back.
    void finish() {
        if (std::exchange(held_, false)) end();
    }

private:
    void begin(unsigned index) {
        const kernel_launch& g = grids_[turn_];
        gridDim = g.blocks;
        blockDim = g.threads;
        blocks_[turn_].start(index, static_cast<int>(g.threads.x), g.dynamic, g.body);
    }
    void end() {
        const kernel_launch& g = grids_[turn_];
        gridDim = g.blocks;
        blockDim = g.threads;
        const unsigned begun = blocks_[turn_].index();
        blocks_[turn_].run_to_its_end();
        for (unsigned b = 0; b < g.blocks.x; ++b) {
            if (b == begun) continue;
            begin(b);
            blocks_[turn_].run_to_its_end();
        }
    }
    kernel_launch grids_[2]; ///< the last kernel, and the one before it while that is held back
    block blocks_[2];
    int turn_ = 0; ///< which of them is the last one
    bool held_ = false;
};

} // namespace cuda_emulation

template <class... Parameter>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*)(Parameter...)) {
    return attributes->ptxVersion = 90, cudaSuccess;
}

template <class... Parameter, class... Argument>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameter...), Argument&&... argument) {
    if (const cudaError_t e = std::exchange(cuda_emulation::next_launch, cudaSuccess); e != cudaSuccess) return e;
    // copies of the arguments: a graph keeps them until it is destroyed
    const std::function<void()> body = [kernel, values = std::tuple<std::remove_cv_t<Parameter>...>(argument...)] {
        std::apply(kernel, values);
    };
    bool early = false;
    for (unsigned i = 0; i < config->numAttrs; ++i)
        early = early || (config->attrs[i].id == cudaLaunchAttributeProgrammaticStreamSerialization &&
                          config->attrs[i].val.programmaticStreamSerializationAllowed != 0);
    const std::function<void()> run = [next = cuda_emulation::kernel_launch{config->gridDim, config->blockDim,
                                                                            config->dynamicSmemBytes, early, body}] {
        cuda_emulation::queue::only().launch(next);
    };
    if (cuda_emulation::is_recorded(config->stream))
        config->stream->recorded->launches.push_back(run);
    else
        run();
    return cudaSuccess;
}

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
template <class... Parameter>
cudaError_t cudaFuncSetAttribute(void (*)(Parameter...), cudaFuncAttribute, int bytes) {
    return bytes <= 99 * 1024 ? cudaSuccess : cudaErrorInvalidValue; // the limit of GPUs from sm_80 on
}

inline cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
    if (s == nullptr || s == cudaStreamLegacy || s->recorded) return cudaErrorStreamCaptureUnsupported;
    s->recorded = std::make_unique<cuda_emulation_graph>();
    return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
    return *graph = s->recorded.release(), *graph != nullptr ? cudaSuccess : cudaErrorInvalidValue;
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus* now) {
    *now = cuda_emulation::is_recorded(s) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t graph, unsigned long long) {
    return *ready = new cuda_emulation_ready_graph{*graph}, cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t s) {
    if (ready == nullptr || cuda_emulation::is_recorded(s)) return cudaErrorInvalidValue;
    ++cuda_emulation::graph_launches;
    cuda_emulation::queue::only().finish();
    for (const auto& launch : ready->graph.launches) launch();
    return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready) { return delete ready, cudaSuccess; }

inline const char* cudaGetErrorString(cudaError_t e) { return e == cudaSuccess ? "no error" : "an emulated error"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDevice(int* ordinal) { return *ordinal = 0, cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    *value = attribute == cudaDevAttrMultiProcessorCount      ? cuda_emulation::processors
             : attribute == cudaDevAttrComputeCapabilityMajor ? 9
             : attribute == cudaDevAttrMemoryPoolsSupported   ? 1
                                                              : 0;
    return cudaSuccess;
}
inline cudaError_t cudaMalloc(void** p, std::size_t bytes) {
    ++cuda_emulation::allocations;
    if (posix_memalign(p, 256, bytes) != 0) return cudaErrorMemoryAllocation;
    std::memset(*p, 0xff, bytes); // NaNs
    return cudaSuccess;
}
inline cudaError_t cudaFree(void* p) {
    cuda_emulation::queue::only().finish();
    return std::free(p), cudaSuccess;
}

/// Freed blocks, by size. A sanitizer does not see a use after that; the NaNs show it.
struct cuda_emulation_pool {
    std::multimap<std::size_t, void*> free;
    ~cuda_emulation_pool() {
        for (const auto& [bytes, p] : free) std::free(p);
    }
};
namespace cuda_emulation {
inline std::map<void*, std::pair<cudaMemPool_t, std::size_t>> pooled; ///< blocks in use
}
inline cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) {
    return *pool = new cuda_emulation_pool, cudaSuccess;
}
inline cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
    for (const auto& [p, of] : cuda_emulation::pooled)
        if (of.first == pool) cuda_emulation::block::fail("a pool is destroyed before its memory is back");
    return delete pool, cudaSuccess;
}
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
inline cudaError_t cudaMallocFromPoolAsync(void** p, std::size_t bytes, cudaMemPool_t pool, cudaStream_t s) {
    if (cuda_emulation::is_recorded(s)) return cudaErrorStreamCaptureUnsupported;
    if (const auto kept = pool->free.find(bytes); kept != pool->free.end()) {
        *p = kept->second;
        pool->free.erase(kept);
        std::memset(*p, 0xff, bytes);
    } else if (const cudaError_t e = cudaMalloc(p, bytes); e != cudaSuccess)
        return e;
    cuda_emulation::pooled[*p] = {pool, bytes};
    return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* p, cudaStream_t) {
    const auto found = cuda_emulation::pooled.find(p);
    if (found == cuda_emulation::pooled.end()) return cudaErrorInvalidValue;
    cuda_emulation::queue::only().finish();
    const auto [pool, bytes] = found->second;
    std::memset(p, 0xff, bytes);
    pool->free.emplace(bytes, p);
    cuda_emulation::pooled.erase(found);
    return cudaSuccess;
}

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    return *stream = new cuda_emulation_stream, cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream, cudaSuccess; }

namespace cuda_emulation {
/// A copy or a wait, which a recording cannot contain.
inline cudaError_t between_host_and_device(cudaStream_t s) {
    ++copies;
    queue::only().finish();
    return is_recorded(s) ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}
} // namespace cuda_emulation
inline cudaError_t cudaStreamSynchronize(cudaStream_t s) { return cuda_emulation::between_host_and_device(s); }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t s) {
    if (const cudaError_t e = cuda_emulation::between_host_and_device(s); e != cudaSuccess) return e;
    if (bytes > 0) std::memcpy(to, from, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                                     std::size_t width, std::size_t height, cudaMemcpyKind, cudaStream_t s) {
    if (width > to_pitch || width > from_pitch) return cudaErrorInvalidValue;
    if (const cudaError_t e = cuda_emulation::between_host_and_device(s); e != cudaSuccess) return e;
    for (std::size_t r = 0; r < height; ++r)
        std::memcpy(static_cast<char*>(to) + r * to_pitch, static_cast<const char*>(from) + r * from_pitch, width);
    return cudaSuccess;
}
inline cudaError_t cudaMemset2DAsync(void* to, std::size_t pitch, int value, std::size_t width, std::size_t height,
                                     cudaStream_t) {
    if (width > pitch) return cudaErrorInvalidValue;
    cuda_emulation::queue::only().finish();
    for (std::size_t r = 0; r < height; ++r) std::memset(static_cast<char*>(to) + r * pitch, value, width);
    return cudaSuccess;
}
