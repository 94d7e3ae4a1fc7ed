// SPDX-License-Identifier: Apache-2.0
// A PriorTransformer for callers that do not know incremental sampling: one forward after another, each with all of its
// arguments.
#pragma once

#include <apriori/models/prior_transformer.hpp>
#include <apriori/tensor/host_buffer.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace apriori_python {

using apriori::failure, apriori::index_t, apriori::result, apriori::status;

/// Answers forwards. With `incremental`, a forward with an attention mask is computed as a step. Results that depend
/// only on the prompts are kept between calls, and found again by comparing every byte of the prompts, so a sampling
/// loop need not say where it begins.
template <class Model>
class answers {
    using device_type = typename Model::device_type;
    using prompt = apriori::prior_prompt;
    static constexpr auto config = Model::config;

public:
    using input = typename Model::input;

    answers(Model model, bool incremental) : model_(std::move(model)), incremental_(incremental) {}

    const Model& model() const noexcept { return model_; }
    /// Whether the shapes of an input are allowed.
    static status check(const input& in) { return in.check(limits_of(in), config); }
    /// The number of floats in the answer to an input that check allows.
    static index_t size(const input& in) { return in.rows() * in.output_tokens() * Model::clip; }

    /// Writes the answer to `in`, size(in) floats, into `to`. check has to allow `in`. Not for concurrent calls.
    result<void> operator()(const input& in, std::span<float> to) {
        if constexpr (Model::has_step && config.num_embeddings > 0)
            if (incremental_ && in.attention_mask.data != nullptr && in.text_tokens() == config.num_embeddings)
                return step(in, to);
        const auto l = limits_of(in);
        if (auto r = provide(Model::workspace_bytes(l)); !r) return r;
        return model_.forward(in, to, memory_.span(), l).state;
    }

private:
    static constexpr index_t most_rows = 32, most_steps = 256; ///< at once: more would take memory without saving time
    static constexpr index_t most_timesteps = 128;             ///< kept from a sampling

    struct kept_prompt {
        std::vector<float> pooled, text;
        std::vector<std::uint8_t> mask;

        explicit kept_prompt(const prompt& p)
            : pooled(p.text_embeds.begin(), p.text_embeds.end()),
              text(p.last_hidden_state.begin(), p.last_hidden_state.end()),
              mask(p.attention_mask.begin(), p.attention_mask.end()) {}
        prompt view() const { return {pooled, text, mask}; }
    };
    /// A timestep in one of the kv caches.
    struct time {
        const apriori::prior_kv_cache<device_type>* kv_cache;
        index_t k;
    };

    static apriori::limits limits_of(const input& in) {
        return apriori::limits{.rows = (std::min)(in.rows(), most_rows),
                               .hidden_tokens = in.hidden_tokens(),
                               .proj_tokens = in.proj_tokens(),
                               .text_tokens = in.text_tokens()}
            .filled_in(config);
    }

    /// Makes the workspace at least that large; an error if there is no memory.
    result<void> provide(std::size_t bytes) {
        if (memory_.size() >= bytes) return {};
        memory_ = apriori::host_buffer(bytes);
        if (!memory_.empty()) return {};
        return failure(apriori::errc::workspace_too_small, "no memory for a workspace of ", bytes, " bytes");
    }

    static prompt prompt_of(const input& in, index_t row) {
        const auto rows_of = [row](const auto& x, index_t width) {
            return std::span(x.data + row * x.tokens * width, static_cast<std::size_t>(x.tokens * width));
        };
        const index_t mask = config.num_embeddings;
        return {rows_of(in.proj_embedding, config.embedding_proj_dim),
                rows_of(in.encoder_hidden_states, input::text_width),
                {in.attention_mask.data + row * mask, static_cast<std::size_t>(mask)}};
    }
    static bool same(const prompt& a, const prompt& b) {
        const auto bytes = [](const auto& x, const auto& y) {
            return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size_bytes()) == 0;
        };
        return bytes(a.attention_mask, b.attention_mask) && bytes(a.text_embeds, b.text_embeds) &&
               bytes(a.last_hidden_state, b.last_hidden_state);
    }

    result<void> step(const input& in, std::span<float> to) {
        std::vector<prompt> prompts; // without duplicates: a pipeline has the same ones for each image
        std::vector<apriori::prior_step<device_type>> steps;
        for (index_t row = 0; row < in.rows(); ++row) {
            const prompt p = prompt_of(in, row);
            const auto found =
                std::find_if(prompts.begin(), prompts.end(), [&](const prompt& q) { return same(p, q); });
            steps.push_back({.prompt = found - prompts.begin(), .latent = row});
            if (found == prompts.end()) prompts.push_back(p);
        }
        if (auto r = keep(prompts); !r) return r;
        for (index_t row = 0; row < in.rows(); ++row) {
            const auto t = find_time(in.timestep(in.timestep.size() == 1 ? 0 : row));
            if (!t) return t.error();
            auto& s = steps[static_cast<std::size_t>(row)];
            s.kv_cache = t->kv_cache;
            s.k = t->k;
        }
        const index_t hidden = in.hidden_tokens();
        const apriori::step_limits l{
            .rows = (std::min)(in.rows(), most_steps), .samples = in.rows(), .hidden_tokens = hidden};
        if (auto r = provide(Model::step_workspace_bytes(l)); !r) return r;
        const apriori::view latents(in.hidden_states.data,
                                    apriori::extents<apriori::dyn, config.embedding_dim>(in.rows() * hidden));
        return model_.step(latents, steps, to, memory_.span(), l);
    }

    /// Makes `prefix_` the prefix of these prompts.
    result<void> keep(std::span<const prompt> prompts) {
        const auto is_kept = [](const kept_prompt& kept, const prompt& p) { return same(kept.view(), p); };
        const bool kept = std::equal(prompts_.begin(), prompts_.end(), prompts.begin(), prompts.end(), is_kept);
        if (prefix_ == nullptr || !kept) {
            std::vector<kept_prompt> copies(prompts.begin(), prompts.end());
            auto prefix = model_.prefix(prompts);
            if (!prefix) return prefix.error();
            prefix_ = std::move(*prefix);
            prompts_ = std::move(copies);
            kv_caches_.clear();
            if (!seen_.empty()) schedule_ = std::exchange(seen_, {});
        }
        index_t timesteps = 0;
        for (const auto& c : kv_caches_) timesteps += std::ssize(c->timesteps);
        if (timesteps > most_timesteps) kv_caches_.clear();
        return {};
    }

    /// The time rows of timestep t. A sampling that begins with the same timestep as the previous one usually has the
    /// same timesteps: their rows are then computed in one pass, which reads the weights once.
    result<time> find_time(float t) {
        if (std::find(seen_.begin(), seen_.end(), t) == seen_.end() && std::ssize(seen_) < most_timesteps)
            seen_.push_back(t);
        for (const auto& c : kv_caches_) {
            const auto k = std::find(c->timesteps.begin(), c->timesteps.end(), t);
            if (k != c->timesteps.end()) return time{c.get(), k - c->timesteps.begin()};
        }
        const bool again = kv_caches_.empty() && !schedule_.empty() && schedule_.front() == t;
        auto made = model_.kv_cache(prefix_, again ? std::span<const float>(schedule_) : std::span<const float>(&t, 1));
        if (!made) return made.error();
        kv_caches_.push_back(std::move(*made));
        return time{kv_caches_.back().get(), 0};
    }

    Model model_;
    bool incremental_;
    apriori::host_buffer memory_;
    std::vector<kept_prompt> prompts_;
    std::shared_ptr<const apriori::prior_prefix<device_type>> prefix_;
    std::vector<std::shared_ptr<const apriori::prior_kv_cache<device_type>>> kv_caches_;
    std::vector<float> seen_, schedule_; ///< timesteps of this sampling so far, and of the previous one
};

} // namespace apriori_python
