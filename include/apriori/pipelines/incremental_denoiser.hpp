// SPDX-License-Identifier: Apache-2.0
// Answers by exact incremental sampling: what depends only on the prompts is computed once, and a step computes two
// rows for each sample and guidance branch.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/pipelines/denoiser.hpp"

#include <algorithm>
#include <optional>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A prompt of a kv cache: one guidance branch. KV caches can be kept and shared between samplings.
template <class Device>
struct guidance_branch {
    std::shared_ptr<const prior_kv_cache<Device>> kv_cache{};
    index_t prompt = 0;
};

/// Can replace forward_denoiser for prompts with attention masks and the default attention processors.
template <class Model>
class incremental_denoiser {
public:
    using device_type = typename Model::device_type;
    static constexpr auto config = Model::config;
    static constexpr index_t width = config.embedding_dim, clip = config.clip_embed_dim;
    using branch = guidance_branch<device_type>;

    /// For `samples` images of each of `prompts`: [unconditional, conditional] with guidance. Each is a guidance
    /// branch; if `branches` is given, each branch has the same number of prompts, [branches, prompts of a branch].
    static result<incremental_denoiser> make(const Model& model, std::vector<branch> prompts, index_t samples,
                                             index_t branches = 0) {
        const auto each = prompts_of_a_branch(std::ssize(prompts), branches, samples);
        if (!each) return each.error();
        incremental_denoiser d(model, std::move(prompts), *each, samples);
        if (!d.answer_ || !d.memory_) return failure{errc::device_error, "no memory for the samples; ask for fewer"};
        if (auto r = d.prepare(); !r) return r.error();
        return d;
    }
    /// The same from prompts, one for each branch.
    static result<incremental_denoiser> make(const Model& model, std::span<const prior_prompt> prompts,
                                             std::span<const float> timesteps, index_t samples) {
        auto prefix = model.prefix(prompts);
        if (!prefix) return prefix.error();
        auto kv_cache = model.kv_cache(*prefix, timesteps);
        if (!kv_cache) return kv_cache.error();
        std::vector<branch> branches;
        for (index_t p = 0; p < std::ssize(prompts); ++p) branches.push_back({*kv_cache, p});
        return make(model, std::move(branches), samples);
    }

    index_t samples() const noexcept { return samples_; }
    index_t branches() const noexcept { return std::ssize(prompts_) / each_; }
    /// Rows of latents: prompts of a branch times samples times tokens.
    index_t rows() const noexcept { return each_ * samples_ * limits_.hidden_tokens; }

    /// The model's answers to latents x [rows, embedding_dim] at `timestep`: a view [branches * rows, clip_embed_dim].
    /// invalid_argument for a timestep that one of the kv caches lacks.
    result<view<const float, extents<dyn, clip>>> operator()(const view<const float, extents<dyn, width>>& x,
                                                             float timestep) {
        if (auto r = detail::check_latent_rows(x.ext()[0], rows()); !r) return r.error();
        const auto time = std::find(times_.begin(), times_.end(), timestep);
        if (time == times_.end())
            return failure(errc::invalid_argument,
                           "the kv cache of a prompt was made for other timesteps: it has none of ", timestep);
        status s = steps_->at_time(time - times_.begin());
        if (s)
            s = launches_.run(model_.device(), x.data,
                              [&] { return model_.step(x, *steps_, answer_.span(), memory_.bytes()); });
        if (!s) return to_failure(s);
        return view<const float, extents<dyn, clip>>(answer_.data(), extents<dyn, clip>(branches() * rows()));
    }

private:
    /// The most steps that are processed together: more would take more memory and no less time.
    static constexpr index_t most_rows = [] {
        if constexpr (requires { device_type::most_rows; })
            return device_type::most_rows;
        else
            return index_t{256};
    }();

    incremental_denoiser(const Model& model, std::vector<branch> prompts, index_t each, index_t samples)
        : model_(model), prompts_(std::move(prompts)), each_(each), samples_(samples) {
        const index_t count = std::ssize(prompts_) * samples;
        limits_ = {.rows = (std::min)(count, most_rows),
                   .samples = each * samples,
                   .hidden_tokens = Model::hidden_tokens(*prompts_.front().kv_cache)};
        answer_ = {model_.device(), count * limits_.hidden_tokens * clip};
        memory_ = {model_.device(), index_t(Model::step_workspace_bytes(limits_))};
    }

    /// Prepares the steps of all prompts for every timestep that all of their kv caches have.
    result<void> prepare() {
        std::vector<prior_step<device_type>> steps; // [prompts, samples]
        for (const branch& p : prompts_)
            for (index_t s = 0; s < samples_; ++s)
                steps.push_back({p.kv_cache.get(), p.prompt, std::ssize(steps) % (each_ * samples_), 0});
        std::vector<std::int32_t> timesteps; // [times, prompts, samples]
        for (const float t : prompts_.front().kv_cache->timesteps) {
            const std::size_t before = timesteps.size();
            for (const branch& p : prompts_) {
                const auto& times = p.kv_cache->timesteps;
                const auto k = std::find(times.begin(), times.end(), t);
                if (k != times.end())
                    timesteps.insert(timesteps.end(), to_size(samples_), std::int32_t(k - times.begin()));
            }
            if (timesteps.size() - before == steps.size())
                times_.push_back(t);
            else
                timesteps.resize(before);
        }
        if (times_.empty())
            return failure{errc::invalid_argument, "the kv caches of the prompts have no timestep in common"};
        auto prepared = model_.prepare_steps(steps, each_ * samples_, timesteps, limits_);
        if (!prepared) return prepared.error();
        steps_ = std::move(*prepared);
        return {};
    }

    Model model_;
    std::vector<branch> prompts_;
    index_t each_, samples_; ///< prompts of a branch, samples of a prompt
    step_limits limits_{};
    std::vector<float> times_; ///< the timesteps that the steps are prepared for
    std::optional<prepared_steps<device_type>> steps_;
    device_array<float, device_type> answer_;
    device_array<std::byte, device_type> memory_;
    repeated_launches<device_type> launches_;
};

/// True if prompts can be sampled incrementally by this model: each has an attention mask, and the model uses its
/// device's own attention. Otherwise use the full forward.
template <class Model>
bool samples_incrementally(std::span<const prior_prompt> prompts) noexcept {
    const bool masked =
        std::all_of(prompts.begin(), prompts.end(), [](const prior_prompt& p) { return !p.attention_mask.empty(); });
    return Model::has_step && masked && !prompts.empty();
}

} // namespace apriori
APRIORI_END_EXACT_MATH
