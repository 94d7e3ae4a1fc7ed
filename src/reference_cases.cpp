// SPDX-License-Identifier: Apache-2.0
#include "reference_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace apriori::program {

namespace {
constexpr std::string_view answer = ".out.predicted_image_embedding";
}

result<reference_cases> reference_cases::open(const std::filesystem::path& file) {
    auto tensors = io::weights_source::open_file(file);
    if (!tensors) return tensors.error();
    reference_cases cases(file, std::move(*tensors));
    if (cases.forward_names().empty() && !cases.has_sampling())
        return failure{errc::bad_format,
                       fmt::format("{}: holds no cases: no tensor is named <case>{}", file.string(), answer)};
    return cases;
}

std::vector<std::string> reference_cases::forward_names() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < tensors_.size(); ++i)
        if (const auto name = tensors_.info(i).name; name.ends_with(answer))
            names.emplace_back(name.substr(0, name.size() - answer.size()));
    std::sort(names.begin(), names.end());
    return names;
}

result<host_tensor> reference_cases::optional(const std::string& name) const {
    host_tensor t;
    const auto at = tensors_.find(name);
    if (!at) return t;
    const tensor_info info = tensors_.info(*at);
    if (info.rank < 1 || info.rank > 3 || info.size() == 0)
        return failure{errc::shape_mismatch, fmt::format("{}: {} is empty, or has not one to three axes",
                                                         path_.string(), io::quote(name, 200))};
    t.shape.assign(info.dims.begin(), info.dims.begin() + info.rank);
    t.values.resize(static_cast<std::size_t>(info.size()));
    if (const status s = tensors_.read(*at, 0, t.values); !s.ok()) return to_failure(s);
    return t;
}

result<host_tensor> reference_cases::needed(const std::string& name) const {
    auto t = optional(name);
    if (t && t->absent())
        return failure{errc::not_found, fmt::format("{}: holds no tensor {}", path_.string(), io::quote(name, 200))};
    return t;
}

result<forward_case> reference_cases::forward(const std::string& name) const {
    forward_case c;
    c.name = name;
    const std::pair<const char*, host_tensor*> parts[] = {
        {".in.hidden_states", &c.arguments.hidden_states},
        {".in.timestep", &c.arguments.timestep},
        {".in.proj_embedding", &c.arguments.proj_embedding},
        {".in.encoder_hidden_states", &c.arguments.encoder_hidden_states},
        {".in.attention_mask", &c.arguments.attention_mask},
        {answer.data(), &c.expected}};
    for (const auto& [suffix, to] : parts) {
        auto t = optional(name + suffix);
        if (!t) return t.error();
        *to = std::move(*t);
    }
    return c;
}

result<sampling_case> reference_cases::sampling(const PriorConfig& config) const {
    sampling_case c;
    host_tensor pooled, text, mask, guidance;
    const std::pair<const char*, host_tensor*> parts[] = {{"sample.in.proj_embedding", &pooled},
                                                          {"sample.in.encoder_hidden_states", &text},
                                                          {"sample.in.attention_mask", &mask},
                                                          {"sample.in.guidance_scale", &guidance},
                                                          {"sample.in.latents", &c.latents},
                                                          {"sample.in.noise", &c.noise},
                                                          {"sample.timesteps", &c.timesteps},
                                                          {"sample.out.trace", &c.trace},
                                                          {"sample.out.image_embedding", &c.image_embedding}};
    for (const auto& [name, to] : parts) {
        auto t = needed(name);
        if (!t) return t.error();
        *to = std::move(*t);
    }
    const index_t steps = c.timesteps.rows(), dim = config.embedding_dim;
    const std::pair<const host_tensor*, std::vector<index_t>> shapes[] = {
        {&pooled, {2, config.embedding_proj_dim}},
        {&text, {2, config.num_embeddings, dim}},
        {&mask, {2, config.num_embeddings}},
        {&guidance, {1}},
        {&c.latents, {1, dim}},
        {&c.noise, {steps, 1, dim}},
        {&c.timesteps, {steps}},
        {&c.trace, {steps, 1, dim}},
        {&c.image_embedding, {1, config.clip_embed_dim}}};
    for (std::size_t i = 0; i < std::size(shapes); ++i)
        if (const auto& [t, shape] = shapes[i]; t->shape != shape)
            return failure{errc::shape_mismatch, fmt::format("{}: {} is {}; it must be {}", path_.string(),
                                                             parts[i].first, shape_text(t->shape), shape_text(shape))};
    c.guidance = guidance.values[0];
    const auto half = [](const auto& values, bool second, auto& to) {
        const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
        if (second)
            to.assign(middle, values.end());
        else
            to.assign(values.begin(), middle);
    };
    const std::vector<std::uint8_t> kept(mask.values.begin(), mask.values.end());
    for (const bool second : {false, true}) {
        condition& to = second ? c.conditional : c.unconditional;
        half(pooled.values, second, to.text_embeds);
        half(text.values, second, to.last_hidden_state);
        half(kept, second, to.attention_mask);
    }
    return c;
}

} // namespace apriori::program
