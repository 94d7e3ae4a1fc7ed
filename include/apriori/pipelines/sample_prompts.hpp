// SPDX-License-Identifier: Apache-2.0
// The second half of every pipeline: samples prompts as one batch, with the fastest method that is exact.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/pipelines/incremental_denoiser.hpp"
#include "apriori/pipelines/sampler.hpp"

#include <concepts>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A generator of standard normal numbers: torch_generator, philox_generator.
template <class R>
concept normal_generator = requires(R& random, std::span<float> out) { random.randn(out); };

namespace detail {

/// Checks num_images_per_prompt, as every pipeline does.
inline result<void> check_images_per_prompt(index_t count) {
    if (count >= 1) return {};
    return failure(errc::invalid_argument, "num_images_per_prompt must be 1 or more, not ", count);
}

/// The given latents [rows, width], or normal numbers if there are none.
result<std::vector<float>> given_or_drawn(std::span<const float> latents, index_t rows, index_t width,
                                          normal_generator auto& random) {
    std::vector<float> out(latents.begin(), latents.end());
    if (out.empty()) {
        out.resize(to_size(rows * width));
        random.randn(std::span<float>(out));
    }
    if (std::ssize(out) != rows * width)
        return failure(errc::shape_mismatch, "latents: ", out.size(), " numbers are not ", rows, " rows of ", width);
    return out;
}

/// One kv cache for all prompts, each computed once: without a negative prompt all unconditional ones are the same.
template <class Model>
result<incremental_denoiser<Model>> incremental_for(const Model& model, std::span<const prior_prompt> prompts,
                                                    std::span<const float> timesteps, index_t samples,
                                                    index_t branches) {
    std::vector<prior_prompt> distinct;
    std::vector<index_t> which;
    for (const prior_prompt& p : prompts) {
        const auto at = std::find_if(distinct.begin(), distinct.end(), [&](const prior_prompt& d) {
            return d.text_embeds.data() == p.text_embeds.data() &&
                   d.last_hidden_state.data() == p.last_hidden_state.data() &&
                   d.attention_mask.data() == p.attention_mask.data();
        });
        which.push_back(at - distinct.begin());
        if (at == distinct.end()) distinct.push_back(p);
    }
    const auto prefix = model.prefix(distinct);
    if (!prefix) return prefix.error();
    const auto kv_cache = model.kv_cache(*prefix, timesteps);
    if (!kv_cache) return kv_cache.error();
    std::vector<typename incremental_denoiser<Model>::branch> rows;
    for (const index_t p : which) rows.push_back({*kv_cache, p});
    return incremental_denoiser<Model>::make(model, std::move(rows), samples, branches);
}

} // namespace detail

/// Samples `samples` image embeddings of each prompt, [prompts, samples, tokens * embedding_dim] floats, as one batch:
/// the numbers are drawn for all of them together, as in diffusers.
///   prompts   with guidance [unconditional, conditional], the same number of each; otherwise only the conditional ones
///   tokens    rows of latents of a sample, 1 except for Shap-E
///   latents   as for `sample`
/// Prompts with masks are sampled incrementally if the model can do it, others by its forward.
template <class Model, scheduler Scheduler, normal_generator Random>
result<std::vector<float>>
sample_prompts(const Model& model, const Scheduler& schedule, std::span<const prior_prompt> prompts, index_t samples,
               index_t tokens, std::span<const float> latents, Random& random, const sampling_options& options) {
    const index_t branches = uses_guidance(options.guidance_scale) ? 2 : 1;
    const auto run = [&](auto denoiser) -> result<std::vector<float>> {
        if (!denoiser) return denoiser.error();
        std::vector<float> out(to_size(denoiser->rows() * Model::config.embedding_dim));
        auto done =
            sample(model, *denoiser, schedule, latents, [&](std::span<float> z) { random.randn(z); }, out, options);
        if (!done) return done.error();
        return out;
    };
    if constexpr (Model::has_step)
        if (tokens == 1 && samples_incrementally<Model>(prompts))
            return run(detail::incremental_for(model, prompts, schedule.timesteps(), samples, branches));
    return run(forward_denoiser<Model>::make(model, prompts, samples, tokens, branches));
}

} // namespace apriori
APRIORI_END_EXACT_MATH
