// SPDX-License-Identifier: Apache-2.0
// Primitives of the CPU on one thread, in GFLOP/s and GB/s, and relative to this machine's ceilings.
#include "apriori/device/cpu/ceilings.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/expr/plan.hpp"

#include <benchmark/benchmark.h>

using namespace apriori;

namespace {

serial_executor executor_;

const ceilings& limits_of_this_machine() {
    static const ceilings c = measure_ceilings<default_arch>(executor_);
    return c;
}

/// Runs out = x, and counts the FLOPs and bytes of its plan.
template <class E, class X>
void run(benchmark::State& state, E shape, const X& x) {
    cpu<> device;
    const auto planned = plan<cpu<>>(x);
    const host_buffer memory(planned.workspace);
    tensor<float, E> out(shape);
    workspace work(memory.span());
    context ctx(device, work);
    for (auto _ : state) {
        if (!ctx.assign(out.view(), x).ok()) state.SkipWithError("assign failed");
        benchmark::DoNotOptimize(out.data());
    }
    using benchmark::Counter;
    const auto& c = limits_of_this_machine();
    const double flops = static_cast<double>(planned.flops()), bytes = static_cast<double>(planned.bytes());
    const auto rate = [&](double n) { return Counter(n, Counter::kIsIterationInvariantRate); };
    state.counters["GFLOP/s"] = rate(flops * 1e-9);
    state.counters["GB/s"] = rate(bytes * 1e-9);
    state.counters["of FMA"] = rate(flops * 1e-9 / c.gflops);
    state.counters["of reading"] = rate(bytes * 1e-9 / c.gbytes);
}

template <class E>
tensor<float, E> filled(E shape) {
    tensor<float, E> t(shape);
    float v = 0.1f;
    for (float& x : t.flat()) x = (v = v * 1.01f > 1.0f ? 0.1f : v * 1.01f);
    return t;
}

/// A linear layer of N outputs over K inputs with packed weights; state.range(0) rows.
template <class Format, index_t N, index_t K>
void linear_layer(benchmark::State& state) {
    using P = cpu<>::packed<Format>;
    cpu<> device;
    const host_buffer memory(P::stored_bytes(N, K));
    const P w(memory.data(), N, K);
    const auto row = filled(extents<K>{});
    for (index_t j = 0; j < N; ++j)
        if (!device.pack(w, j, row.flat()).ok()) return state.SkipWithError("pack failed");
    const auto x = filled(extents<dyn, K>(state.range(0)));
    run(state, extents<dyn, N>(state.range(0)), linear(x, weight<P, N, K>{w}));
}
BENCHMARK(linear_layer<f32, 8192, 2048>)->Arg(1)->Arg(2)->Arg(4)->Arg(16)->Arg(162);
BENCHMARK(linear_layer<f32, 2048, 8192>)->Arg(4)->Arg(162);
BENCHMARK(linear_layer<bf16, 8192, 2048>)->Arg(4)->Arg(162);
BENCHMARK(linear_layer<f16, 8192, 2048>)->Arg(4)->Arg(162);
BENCHMARK(linear_layer<w8, 8192, 2048>)->Arg(4)->Arg(162);
BENCHMARK(linear_layer<w4, 8192, 2048>)->Arg(4)->Arg(162);
BENCHMARK(linear_layer<f32, 128, 512>)->Arg(2)->Arg(8);

/// Self-attention of one sequence of state.range(0) tokens.
template <int Heads, index_t Dim>
void attention_of(benchmark::State& state) {
    constexpr index_t width = Heads * Dim;
    const auto qkv = filled(extents<dyn, 3 * width>(state.range(0)));
    run(state, extents<dyn, width>(state.range(0)),
        self_attention<Heads>(qkv, attention_rows{1, state.range(0)}, 0.125f));
}
BENCHMARK(attention_of<32, 64>)->Arg(81);
BENCHMARK(attention_of<16, 64>)->Arg(1026);
BENCHMARK(attention_of<8, 128>)->Arg(1281);

/// Element-wise and row-wise expressions over state.range(0) rows of 2048, within the cache and beyond it.
void bias_gelu_residual(benchmark::State& state) {
    const extents<dyn, 2048> shape(state.range(0));
    const auto x = filled(shape), r = filled(shape);
    const auto b = filled(extents<2048>{});
    run(state, shape, gelu(x + b) + r);
}
BENCHMARK(bias_gelu_residual)->Arg(8)->Arg(16384);
void layer_norm_rows(benchmark::State& state) {
    const extents<dyn, 2048> shape(state.range(0));
    const auto x = filled(shape);
    const auto g = filled(extents<2048>{}), b = filled(extents<2048>{});
    run(state, shape, layer_norm(x, g, b));
}
BENCHMARK(layer_norm_rows)->Arg(8)->Arg(16384);
void softmax_rows(benchmark::State& state) {
    const extents<dyn, 2048> shape(state.range(0));
    const auto x = filled(shape);
    run(state, shape, softmax(x));
}
BENCHMARK(softmax_rows)->Arg(8)->Arg(16384);
void small_product(benchmark::State& state) {
    const auto a = filled(extents<8, 8>{}), b = filled(extents<8, 8>{});
    run(state, extents<8, 8>{}, matmul(a, b));
}
BENCHMARK(small_product);

} // namespace
