// SPDX-License-Identifier: Apache-2.0
// What a sampler calls at every step: the model's answers for the latents of all samples and guidance branches.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/generate.hpp"
#include "apriori/models/device_array.hpp"
#include "apriori/models/prior_prompt.hpp"
#include "apriori/models/prior_transformer.hpp"
#include "apriori/models/repeated_launches.hpp"

#include <algorithm>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The number of prompts of each guidance branch if `count` of them belong to `branches`; with 0 branches each is one.
inline result<index_t> prompts_of_a_branch(index_t count, index_t branches, index_t samples) {
    if (samples < 1) return failure(errc::invalid_argument, "samples must be 1 or more, not ", samples);
    if (branches == 0) branches = count;
    if (count < 1 || branches < 1 || count % branches != 0)
        return failure(errc::invalid_argument,
                       "at least one guidance branch is needed, and each with as many prompts: ", count, " prompts, ",
                       branches, " branches");
    return count / branches;
}

namespace detail {

inline result<void> check_latent_rows(index_t have, index_t rows) {
    if (have == rows) return {};
    return failure(errc::shape_mismatch, "denoiser: latents of ", have, " rows; it was made for ", rows);
}

} // namespace detail

/// Answers by the full forward: the rows of a step are the samples of each prompt of each branch, one branch after the
/// other. Works for every configuration, with and without a mask.
template <class Model>
class forward_denoiser {
public:
    using device_type = typename Model::device_type;
    static constexpr auto config = Model::config;
    static constexpr index_t width = config.embedding_dim, clip = config.clip_embed_dim;
    /// The most rows of a forward that are processed together: more would take more memory and no less time.
    static constexpr index_t most_rows = 32;

    /// For `samples` images of each of `prompts`, which are copied to the device: [unconditional, conditional] with
    /// guidance. Latents have `tokens` rows of embedding_dim each (1 except for Shap-E). Each prompt is a guidance
    /// branch; if `branches` is given, each branch has the same number of prompts, [branches, prompts of a branch].
    static result<forward_denoiser> make(const Model& model, std::span<const prior_prompt> prompts, index_t samples,
                                         index_t tokens = 1, index_t branches = 0) {
        const auto each = prompts_of_a_branch(std::ssize(prompts), branches, samples);
        if (!each) return each.error();
        forward_denoiser d(model, std::ssize(prompts) / *each, *each, samples, tokens);
        if (auto r = d.fill(prompts); !r) return r.error();
        return d;
    }

    index_t samples() const noexcept { return samples_; }
    index_t branches() const noexcept { return branches_; }
    /// Rows of latents: prompts of a branch times samples times tokens.
    index_t rows() const noexcept { return prompts_ * samples_ * tokens_; }

    /// The model's answers to latents x [rows, embedding_dim] at `timestep`: a view [branches * rows, clip_embed_dim].
    result<view<const float, extents<dyn, clip>>> operator()(const view<const float, extents<dyn, width>>& x,
                                                             float timestep) {
        if (auto r = detail::check_latent_rows(x.ext()[0], rows()); !r) return r.error();
        workspace no_temporaries;
        context to(model_.device(), no_temporaries);
        to(view(timestep_.data(), extents<1>())) = filled(extents<1>(), timestep);
        to.check(launches_.run(model_.device(), x.data, [&] { return forward(x); }));
        if (!to.state) return to_failure(to.state);
        return view<const float, extents<dyn, clip>>(answer_.data(), extents<dyn, clip>(branches_ * rows()));
    }

private:
    using input_type = typename Model::input;

    forward_denoiser(const Model& model, index_t branches, index_t prompts, index_t samples, index_t tokens)
        : model_(model), branches_(branches), prompts_(prompts), samples_(samples), tokens_(tokens) {}

    status forward(const view<const float, extents<dyn, width>>& x) const {
        workspace no_temporaries;
        context to(model_.device(), no_temporaries);
        for (index_t b = 0; b < branches_; ++b)
            to(view(hidden_.data() + b * rows() * width, extents<dyn, width>(rows()))) = x;
        if (to.state) to.check(model_.forward(input_, answer_.span(), memory_.bytes(), limits_).state);
        return to.state;
    }

    result<void> fill(std::span<const prior_prompt> prompts) {
        const prior_prompt& first = prompts.front();
        const index_t text_tokens = std::ssize(first.last_hidden_state) / input_type::text_width;
        const index_t proj_tokens = std::ssize(first.text_embeds) / config.embedding_proj_dim;
        const index_t proj = proj_tokens * config.embedding_proj_dim, text = text_tokens * input_type::text_width;
        const index_t mask = std::ssize(first.attention_mask);
        if (proj == 0) return detail::wrong_size("prompt: text_embeds", first.text_embeds, config.embedding_proj_dim);
        if (mask != 0 && mask != config.num_embeddings)
            return detail::wrong_size("prompt: attention_mask", first.attention_mask, config.num_embeddings);
        const index_t count = branches_ * prompts_ * samples_;
        limits_ = limits{.rows = (std::min)(count, most_rows),
                         .hidden_tokens = tokens_,
                         .proj_tokens = proj_tokens,
                         .text_tokens = text_tokens}
                      .filled_in(config);
        device_staging<device_type> on(model_.device(), "no memory for the samples; ask for fewer");
        hidden_ = on.floats(count * tokens_ * width);
        pooled_ = on.floats(count * proj);
        text_ = on.floats(count * text);
        mask_ = on.template array<std::uint8_t>(count * mask);
        timestep_ = on.floats(1);
        answer_ = on.floats(count * tokens_ * clip);
        memory_ = on.bytes(Model::workspace_bytes(limits_));
        for (index_t p = 0; p < branches_ * prompts_; ++p) {
            const prior_prompt& c = at(prompts, p);
            if (std::ssize(c.text_embeds) != proj)
                return detail::wrong_size("prompt: text_embeds", c.text_embeds, proj);
            if (std::ssize(c.last_hidden_state) != text)
                return detail::wrong_size("prompt: last_hidden_state", c.last_hidden_state, text);
            if (std::ssize(c.attention_mask) != mask)
                return detail::wrong_size("prompt: attention_mask", c.attention_mask, mask);
            for (index_t i = p * samples_; i < (p + 1) * samples_; ++i) {
                on.write(pooled_, c.text_embeds, i * proj);
                on.write(text_, c.last_hidden_state, i * text);
                on.write(mask_, c.attention_mask, i * mask);
            }
        }
        if (!on.state) return on.state;
        input_.hidden_states = {hidden_.data(), count, tokens_};
        input_.timestep = {timestep_.data(), extents<dyn>(1)};
        input_.proj_embedding = {pooled_.data(), count, proj_tokens};
        if (text > 0) input_.encoder_hidden_states = {text_.data(), count, text_tokens};
        if (mask > 0) input_.attention_mask = {mask_.data(), extents<dyn, dyn>(count, mask)};
        return input_.check(limits_);
    }

    Model model_;
    index_t branches_, prompts_, samples_, tokens_;
    limits limits_{};
    device_array<float, device_type> hidden_, pooled_, text_, timestep_, answer_;
    device_array<std::uint8_t, device_type> mask_;
    device_array<std::byte, device_type> memory_;
    input_type input_{};
    repeated_launches<device_type> launches_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
