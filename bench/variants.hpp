// SPDX-License-Identifier: Apache-2.0
// Compares variants of PriorTransformer as Google benchmarks: a forward of two rows (one guided step of a full
// forward), and an incremental step of two rows. bench/variants_bench.cpp has the project's own variants;
// apriori_add_bench makes them from config.json files.
#pragma once

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <thread>
#include <vector>

namespace apriori::bench {

using executor_type = eigen_thread_pool_executor;
using device_type = cpu<default_arch, executor_type>;

inline device_type& the_device() {
    static executor_type threads(static_cast<int>(std::thread::hardware_concurrency()));
    static device_type d(threads);
    return d;
}

/// Whether a model samples incrementally: its prompts have masks, and its output is that of prd.
template <class Model>
inline constexpr bool has_step = Model::has_step && Model::input::has_prd && Model::config.num_embeddings > 0;

/// Inputs of a model, the same in every run, with the largest sizes that its configuration allows.
template <class Model>
struct inputs {
    static constexpr auto& c = Model::config;
    static constexpr limits shape = limits{.rows = 2}.filled_in(c);
    std::vector<float> x = numbers("x", 2 * shape.hidden_tokens * c.embedding_dim),
                       pooled = numbers("pooled", 2 * c.embedding_proj_dim),
                       text = numbers("text", 2 * shape.text_tokens * Model::input::text_width), time{500};
    std::vector<std::uint8_t> mask =
        std::vector<std::uint8_t>(has_step<Model> ? static_cast<std::size_t>(2 * c.num_embeddings) : 0, 1);

    static std::vector<float> numbers(const char* name, index_t n) {
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
    constexpr limits l = inputs<Model>::shape;
    const auto planned = Model::plan(l);
    const host_buffer memory(Model::workspace_bytes(l));
    typename Model::input x;
    x.hidden_states = {in.x.data(), 2, l.hidden_tokens};
    x.timestep = {in.time.data(), extents<dyn>(1)};
    x.proj_embedding = {in.pooled.data(), 2, 1};
    if (l.text_tokens > 0) x.encoder_hidden_states = {in.text.data(), 2, l.text_tokens};
    if (!in.mask.empty()) x.attention_mask = {in.mask.data(), extents<dyn, dyn>(2, Model::config.num_embeddings)};
    std::vector<float> out(static_cast<std::size_t>(2 * x.output_tokens() * Model::clip));
    count<Model>(state, planned.flops(), planned.bytes(),
                 [&] { return m.forward(x, out, memory.span(), l).state.ok(); });
}

template <class Model>
void step(benchmark::State& state) {
    const Model& m = loaded<Model>();
    const inputs<Model> in;
    const step_limits l{.rows = 2};
    const auto planned = Model::step_plan(l);
    const host_buffer memory(Model::step_workspace_bytes(l));
    const prior_prompt prompts[] = {in.prompt(0), in.prompt(1)};
    const auto kv_cache = m.kv_cache(*m.prefix(prompts), in.time);
    const prior_step<device_type> steps[] = {{kv_cache->get(), 0, 0, 0}, {kv_cache->get(), 1, 0, 0}};
    std::vector<float> out(2 * Model::clip);
    const view<const float, extents<dyn, Model::config.embedding_dim>> x(in.x.data(),
                                                                         extents<dyn, Model::config.embedding_dim>(1));
    count<Model>(state, planned.flops(), planned.bytes(), [&] { return m.step(x, steps, out, memory.span(), l).ok(); });
}

/// Registers the benchmarks "NAME forward" and, where the model samples incrementally, "NAME step".
template <PriorConfig C, class Format = f32>
void variant(const std::string& name) {
    using Model = PriorTransformer<C, device_type, Format>;
    const auto add = [&](const char* what, auto* run) {
        benchmark::RegisterBenchmark((name + what).c_str(), run)->Unit(benchmark::kMillisecond)->UseRealTime();
    };
    add(" forward", forward<Model>);
    if constexpr (has_step<Model>) add(" step", step<Model>);
}

/// Runs the registered benchmarks; returns the program's exit code.
inline int run(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

} // namespace apriori::bench
