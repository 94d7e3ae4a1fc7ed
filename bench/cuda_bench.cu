// SPDX-License-Identifier: Apache-2.0
// A GPU's ceilings, and the products of a transformer block in each weight format, timed by CUDA's own clock. Weights
// are read from memory: there are more matrices than the cache holds, and each launch takes the next one.
#include "apriori/device/cuda/device.hpp"
#include "apriori/device/cuda/info.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/generate.hpp"
#include "apriori/expr/linear.hpp"
#include "apriori/expr/plan.hpp"

#include <benchmark/benchmark.h>

#include <vector>

using namespace apriori;

namespace {

using device_type = cuda<80>;

/// The seconds between two points of a stream.
class stopwatch {
public:
    explicit stopwatch(cudaStream_t stream) : stream_(stream) {
        (void)cudaEventCreate(&from_);
        (void)cudaEventCreate(&to_);
    }
    ~stopwatch() {
        (void)cudaEventDestroy(from_);
        (void)cudaEventDestroy(to_);
    }
    stopwatch(const stopwatch&) = delete;
    stopwatch& operator=(const stopwatch&) = delete;

    void start() { (void)cudaEventRecord(from_, stream_); }
    double stop() {
        float milliseconds = 0;
        (void)cudaEventRecord(to_, stream_);
        (void)cudaEventSynchronize(to_);
        (void)cudaEventElapsedTime(&milliseconds, from_, to_);
        return double(milliseconds) * 1e-3;
    }

private:
    cudaStream_t stream_;
    cudaEvent_t from_ = nullptr, to_ = nullptr;
};

bool without_gpu(benchmark::State& state) {
    const cuda_availability there = cuda_available(80);
    if (!there) state.SkipWithError(there.reason.c_str());
    return !there;
}

benchmark::Counter rate(double each) { return {each, benchmark::Counter::kIsIterationInvariantRate}; }

/// Bytes read and written by a copy on the device, a bound for kernels that read their operands from memory.
void copy(benchmark::State& state) {
    if (without_gpu(state)) return;
    device_type gpu;
    const std::size_t bytes = std::size_t(state.range(0)) << 20;
    const cuda_buffer from = gpu.allocate(bytes), to = gpu.allocate(bytes);
    if (from.empty() || to.empty()) return state.SkipWithError("no memory");
    stopwatch watch(gpu.stream());
    for (auto _ : state) {
        watch.start();
        for (int i = 0; i < 10; ++i)
            (void)cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, gpu.stream());
        state.SetIterationTime(watch.stop());
    }
    state.counters["GB/s"] = rate(20 * double(bytes) * 1e-9);
}
BENCHMARK(copy)->Arg(64)->Arg(1024)->UseManualTime();

/// Small launches that depend on each other, one by one or as a graph, and with or without an early start: the least
/// time of a launch.
void launches(benchmark::State& state) {
    if (without_gpu(state)) return;
    device_type gpu;
    constexpr int count = 1000;
    const cuda_buffer memory = gpu.allocate(256 * sizeof(float));
    const view<float, extents<256>> x(reinterpret_cast<float*>(memory.data()), {});
    const auto body = [&] {
        status s = assign(gpu, {}, x, filled(extents<256>(), 0.0f));
        for (int i = 1; s && i < count; ++i) s = assign(gpu, {}, x, x + 1.0f);
        return s;
    };
    const bool as_graph = state.range(0) == 1;
    gpu.dependent_launches(state.range(1) == 1);
    device_type::recording recorded;
    if (!body() || (as_graph && !gpu.record(recorded, body))) return state.SkipWithError("a launch failed");
    stopwatch watch(gpu.stream());
    for (auto _ : state) {
        watch.start();
        if (!(as_graph ? gpu.replay(recorded) : body())) return state.SkipWithError("a launch failed");
        state.SetIterationTime(watch.stop() / count);
    }
}
BENCHMARK(launches)->ArgNames({"graph", "early"})->ArgsProduct({{0, 1}, {0, 1}})->UseManualTime();

/// gelu(x W^T + b), W [N, K] in a format, for state.range(0) rows.
template <class Format, index_t N, index_t K>
void product(benchmark::State& state) {
    if (without_gpu(state)) return;
    device_type gpu;
    using P = device_type::packed<Format>;
    const index_t rows = state.range(0);
    constexpr std::size_t enough = std::size_t{256} << 20; // larger than every cache
    const std::size_t bytes = P::stored_bytes(N, K);
    std::vector<cuda_buffer> matrices;
    const std::vector<float> some(std::size_t(K), 0.01f);
    while (matrices.size() * bytes < enough) {
        matrices.push_back(gpu.allocate(bytes));
        if (matrices.back().empty()) return state.SkipWithError("no memory");
        if (cudaMemsetAsync(matrices.back().data(), 0, bytes, gpu.stream()) != cudaSuccess ||
            !gpu.pack(P(matrices.back().data(), N, K), 0, some))
            return state.SkipWithError("packing failed");
    }
    const cuda_buffer inputs = gpu.allocate(std::size_t(rows * K) * 4), bias = gpu.allocate(N * 4),
                      outputs = gpu.allocate(std::size_t(rows * N) * 4);
    const view<float, extents<dyn, K>> x(reinterpret_cast<float*>(inputs.data()), extents<dyn, K>(rows));
    const view<float, extents<N>> b(reinterpret_cast<float*>(bias.data()), {});
    const view<float, extents<dyn, N>> y(reinterpret_cast<float*>(outputs.data()), extents<dyn, N>(rows));
    const auto fill = [&](const auto& v) { return assign(gpu, {}, v, filled(v.ext(), 0.5f)); };
    std::size_t turn = 0;
    const auto launch = [&] {
        const P w(matrices[turn++ % matrices.size()].data(), N, K);
        return assign(gpu, {}, y, gelu(linear(x, weight<P, N, K>{w}, b)));
    };
    if (!fill(x) || !fill(b) || !launch()) return state.SkipWithError("a launch failed");
    constexpr int count = 20;
    stopwatch watch(gpu.stream());
    for (auto _ : state) {
        watch.start();
        for (int i = 0; i < count; ++i)
            if (!launch()) return state.SkipWithError("a launch failed");
        state.SetIterationTime(watch.stop() / count);
    }
    state.counters["GB/s"] = rate(double(bytes) * 1e-9);
    state.counters["TFLOP/s"] = rate(2e-12 * double(rows) * N * K);
}

template <class Format>
void products(const char* name) {
    for (const index_t rows : {1, 2, 4, 8, 16, 32, 64, 162, 512, 1026})
        for (const auto& [shape, run] : {std::pair("2048->8192", &product<Format, 8192, 2048>),
                                         std::pair("8192->2048", &product<Format, 2048, 8192>)})
            benchmark::RegisterBenchmark((std::string("product/") + name + "/" + shape).c_str(), run)
                ->ArgName("rows")
                ->Arg(rows)
                ->UseManualTime()
                ->MinTime(0.05);
}

} // namespace

int main(int argc, char** argv) {
    products<f32>("f32");
    products<f16>("f16");
    products<bf16>("bf16");
    products<bf16a16>("bf16a16");
    products<w8>("w8");
    products<w4>("w4");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
}
