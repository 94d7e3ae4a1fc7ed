// SPDX-License-Identifier: Apache-2.0
// Variants of PriorTransformer side by side: a forward of two rows (one guided step of a full forward), and an incremental
// step of two rows. A variant is one line at the end.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <benchmark/benchmark.h>

#include <thread>

using namespace apriori;

namespace {

using executor_type = eigen_thread_pool_executor;
using device_type = cpu<default_arch, executor_type>;

device_type& the_device() {
    static executor_type threads(static_cast<int>(std::thread::hardware_concurrency()));
    static device_type d(threads);
    return d;
}

/// Inputs of a model that are the same in every run.
template <class Model>
struct inputs {
    static constexpr auto& c = Model::config;
    std::vector<float> x = numbers("x", 2 * c.embedding_dim), pooled = numbers("pooled", 2 * c.embedding_proj_dim),
                       text = numbers("text", 2 * c.num_embeddings * c.embedding_dim), time{500};
    std::vector<std::uint8_t> mask = std::vector<std::uint8_t>(2 * c.num_embeddings, 1);

    static std::vector<float> numbers(const char* name, int n) {
        std::vector<float> v(static_cast<std::size_t>(n));
        io::synthetic_normal(name, v);
        return v;
    }
    prior_prompt prompt(std::size_t i) const {
        const auto half = [i](const auto& v) { return std::span(v).subspan(i * v.size() / 2, v.size() / 2); };
        return {half(pooled), half(text), half(mask)};
    }
};

template <class Model>
const Model& loaded() {
    static const Model m = [] {
        const tensor_list tensors(Model::config);
        return std::move(*Model::load(the_device(), io::synthetic_source(tensors.infos())));
    }();
    return m;
}

template <class Model, class Body>
void count(benchmark::State& state, std::int64_t flops, std::int64_t bytes, const Body& body) {
    for (auto _ : state)
        if (!body()) state.SkipWithError("the model refused its inputs");
    using benchmark::Counter;
    state.counters["GFLOP/s"] = Counter(static_cast<double>(flops) * 1e-9, Counter::kIsIterationInvariantRate);
    state.counters["GB/s"] = Counter(static_cast<double>(bytes) * 1e-9, Counter::kIsIterationInvariantRate);
    state.counters["weights MB"] = static_cast<double>(Model::weights::bytes()) * 1e-6;
}

template <class Model>
void forward(benchmark::State& state) {
    const Model& m = loaded<Model>();
    const inputs<Model> in;
    const limits l{.rows = 2};
    const auto planned = Model::plan(l);
    const host_buffer memory(Model::workspace_bytes(l));
    std::vector<float> out(2 * Model::clip);
    typename Model::input x;
    x.hidden_states = {in.x.data(), 2, 1};
    x.timestep = {in.time.data(), extents<dyn>(1)};
    x.proj_embedding = {in.pooled.data(), 2, 1};
    x.encoder_hidden_states = {in.text.data(), 2, Model::config.num_embeddings};
    x.attention_mask = {in.mask.data(), extents<dyn, dyn>(2, Model::config.num_embeddings)};
    count<Model>(state, planned.flops(), planned.bytes(),
                 [&] { return m.forward(x, out.data(), memory.span(), l).state.ok(); });
}

template <class Model>
void step(benchmark::State& state) {
    const Model& m = loaded<Model>();
    const inputs<Model> in;
    const step_limits l{.rows = 2};
    const auto planned = Model::step_plan(l);
    const host_buffer memory(Model::step_workspace_bytes(l));
    const prior_prompt prompts[] = {in.prompt(0), in.prompt(1)};
    const auto condition = m.condition(*m.prefix(prompts), in.time);
    const prior_step<device_type> steps[] = {{condition->get(), 0, 0, 0}, {condition->get(), 1, 0, 0}};
    std::vector<float> out(2 * Model::clip);
    const view<const float, extents<dyn, Model::config.embedding_dim>> x(in.x.data(),
                                                                         extents<dyn, Model::config.embedding_dim>(1));
    count<Model>(state, planned.flops(), planned.bytes(),
                 [&] { return m.step(x, steps, out.data(), memory.span(), l).ok(); });
}

template <PriorConfig C, class Format = f32>
void variant(const std::string& name) {
    using Model = PriorTransformer<C, device_type, Format>;
    benchmark::RegisterBenchmark((name + " forward").c_str(), forward<Model>)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
    benchmark::RegisterBenchmark((name + " step").c_str(), step<Model>)->Unit(benchmark::kMillisecond)->UseRealTime();
}

constexpr PriorConfig of(int heads, int dim, int layers) {
    return {.num_attention_heads = heads, .attention_head_dim = dim, .num_layers = layers};
}

} // namespace

int main(int argc, char** argv) {
    variant<presets::digits>("digits 4x32x4 f32");
    variant<presets::digits, bf16>("digits 4x32x4 bf16");
    variant<of(8, 64, 4)>("8x64x4 f32");
    variant<of(16, 32, 4)>("16x32x4 f32");
    variant<of(4, 128, 4)>("4x128x4 f32");
    variant<of(8, 64, 8)>("8x64x8 f32");
    variant<of(32, 64, 2)>("32x64x2 f32");
    variant<of(32, 64, 2), bf16>("32x64x2 bf16");
    variant<of(32, 64, 2), w8>("32x64x2 w8");
    variant<of(32, 64, 2), w4>("32x64x2 w4");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
