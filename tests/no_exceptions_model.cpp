// SPDX-License-Identifier: Apache-2.0
// Compiled with -fno-exceptions -fno-rtti: everything that a program on the CPU needs, except io/.
#include "no_exceptions.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"
#include "apriori/device/recording.hpp"
#include "apriori/expr.hpp"
#include "apriori/models/prior_transformer.hpp"

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "to be compiled with -fno-exceptions -fno-rtti"
#endif

using namespace apriori;

namespace no_exceptions {

namespace {

template <class Model>
typename Model::input input_of(const arguments& a) {
    typename Model::input in;
    in.hidden_states = {a.hidden_states.data(), 2, 1};
    in.timestep = {a.timestep.data(), extents<dyn>(static_cast<index_t>(a.timestep.size()))};
    in.proj_embedding = {a.proj_embedding.data(), 2, 1};
    in.encoder_hidden_states = {a.encoder_hidden_states.data(), 2, config.num_embeddings};
    in.attention_mask = {a.attention_mask.data(), extents<dyn, dyn>(2, config.num_embeddings)};
    return in;
}

template <class Model>
std::vector<float> forward_of(const Model& model, const arguments& a) {
    constexpr limits l{.rows = 2};
    const host_buffer memory(Model::workspace_bytes(l));
    std::vector<float> out(2 * config.embedding_dim);
    const auto result = model.forward(input_of<Model>(a), out, memory.span(), l);
    return result.state.ok() ? out : std::vector<float>{};
}

} // namespace

std::vector<float> forward(const arguments& a) {
    cpu<> inner;
    recording<cpu<>> device(inner);
    using model_type = PriorTransformer<config, recording<cpu<>>>;
    const auto model = model_type::load(device, ramp_source{});
    if (!model) return {};
    const auto y = forward_of(*model, a);
    const auto planned = model_type::plan({.rows = 2});
    const bool as_planned = static_cast<int>(device.launches.size()) == planned.size() && !describe(planned).empty();
    return as_planned ? y : std::vector<float>{};
}

std::vector<float> forward_on_threads(const arguments& a) {
    eigen_thread_pool_executor executor(2);
    cpu<default_arch, eigen_thread_pool_executor> device(executor);
    const auto model = PriorTransformer<config, decltype(device)>::load(device, ramp_source{});
    if (!model) return {};
    return forward_of(model->with_attn_processor<plain_attention>(), a);
}

std::vector<float> incremental(const arguments& a) {
    cpu<> device;
    using model_type = PriorTransformer<config, cpu<>>;
    const auto model = model_type::load(device, ramp_source{});
    if (!model) return {};
    const auto part = [](auto span, std::size_t r) { return span.subspan(r * span.size() / 2, span.size() / 2); };
    std::vector<prior_prompt> prompts;
    for (const std::size_t r : {0u, 1u})
        prompts.push_back({part(a.proj_embedding, r), part(a.encoder_hidden_states, r), part(a.attention_mask, r)});
    const auto prefix = model->prefix(prompts);
    if (!prefix) return {};
    const auto kv_cache = model->kv_cache(*prefix, a.timestep);
    if (!kv_cache) return {};
    const index_t last = static_cast<index_t>(a.timestep.size()) - 1;
    const prior_step<cpu<>> steps[]{{kv_cache->get(), 0, 0, 0}, {kv_cache->get(), 1, 1, last}};
    constexpr step_limits l{.rows = 2, .samples = 2};
    const host_buffer memory(model_type::step_workspace_bytes(l));
    std::vector<float> out(2 * config.embedding_dim);
    const view<const float, extents<dyn, config.embedding_dim>> x_t(a.hidden_states.data(),
                                                                    extents<dyn, config.embedding_dim>(2));
    return model->step(x_t, steps, out, memory.span(), l).ok() ? out : std::vector<float>{};
}

std::string load_incomplete() {
    struct empty_source : ramp_source {
        std::size_t size() const noexcept { return 1; }
    };
    cpu<> device;
    const auto model = PriorTransformer<config, cpu<>>::load(device, empty_source{});
    return model ? "" : model.error().message;
}

std::string forward_without_workspace(const arguments& a) {
    cpu<> device;
    using model_type = PriorTransformer<config, cpu<>>;
    const auto model = model_type::load(device, ramp_source{});
    if (!model) return "";
    std::vector<float> out(2 * config.embedding_dim);
    return to_failure(model->forward(input_of<model_type>(a), out, {}, {.rows = 2}).state).message;
}

} // namespace no_exceptions
