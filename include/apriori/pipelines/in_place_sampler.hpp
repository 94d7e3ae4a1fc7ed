// SPDX-License-Identifier: Apache-2.0
// The sampling loop of pipelines/sampler.hpp for one image on the host, in memory of the caller: no
// heap, and no launches of its own.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/models/in_place_prior.hpp"
#include "apriori/schedulers/concept.hpp"

#include <algorithm>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Samples image embeddings one at a time, by exact incremental sampling. Model is a PriorTransformer on the host.
///
///     alignas(buffer_alignment) static std::byte memory[sampler_bytes<Model>({.prompt_rows = 12})];
///     in_place_sampler<Model> sampler(model, memory, {.prompt_rows = 12});
///     status s = sampler.prefix(prompts);
///     if (s) s = sampler.sample(schedule, latents, noise, embedding);
template <class Model>
class in_place_sampler {
public:
    static constexpr index_t width = Model::config.embedding_dim, clip = Model::config.clip_embed_dim;
    static_assert(clip == width || clip == 2 * width,
                  "apriori: sampling needs clip_embed_dim = embedding_dim, or twice that");

    /// Bytes of memory for these limits: see sampler_bytes.
    static constexpr std::size_t bytes(in_place_limits l) {
        workspace counting;
        const kept_memory kept(counting, l);
        return counting.high_water() + in_place_prior<Model>::bytes(l);
    }

    /// Refers to `model`. `memory` has bytes(l) bytes, aligned to buffer_alignment.
    in_place_sampler(const Model& model, std::span<std::byte> memory, in_place_limits l = {})
        : model_(&model), kept_(split(memory, l)), prior_(model, memory, l) {}

    /// Replaces the prompts: [unconditional, conditional] with guidance, or one. Errors: those
    /// of in_place_prior::prefix.
    status prefix(std::span<const prior_prompt> prompts) { return prior_.prefix(prompts); }

    /// Samples an image embedding, [embedding_dim] floats into `out`, post-processed.
    ///   schedule   planned: its steps are run in order
    ///   latents    standard normal, [embedding_dim]; multiplied by init_noise_sigma here
    ///   noise      `void(std::span<float>)` fills [embedding_dim] standard normals, once for each step
    ///              that draws noise
    ///   guidance_scale    for two prompts; 1 and less need one
    /// Errors: those of in_place_prior::step; shape_mismatch; invalid_argument if the number of prompts
    /// does not match guidance_scale.
    template <scheduler Scheduler, class Noise>
    status sample(const Scheduler& schedule, std::span<const float> latents, Noise&& noise, std::span<float> out,
                  float guidance_scale = 4.0f) {
        if (const status s = check(latents, out, guidance_scale); !s) return s;
        const float sigma = schedule.init_noise_sigma();
        for (std::size_t i = 0; i < latents.size(); ++i) kept_.x[i] = latents[i] * sigma;
        std::fill(kept_.history, kept_.history + max_history_slots * width,
                  0.0f); // those not yet written count as zero
        for (const step_coefficients& c : schedule.steps()) {
            if (const status s = answer(c, guidance_scale); !s) return s;
            if (c.draws_noise) noise(floats(kept_.noise));
            if (const status s = apply_step(c, buffers(c), width); !s) return s;
        }
        std::copy_n(kept_.x, width, out.begin());
        if constexpr (clip == width)
            return model_->post_process_latents(view<float, extents<dyn, clip>>(out.data(), extents<dyn, clip>(1)));
        else
            return {};
    }

private:
    struct kept_memory {
        float *x = nullptr, *scaled = nullptr, *noise = nullptr, *history = nullptr; ///< [width], history several
        float* answers = nullptr;                                                    ///< [prompts][clip]

        constexpr kept_memory() = default;
        constexpr kept_memory(workspace& memory, in_place_limits l)
            : x(memory.take<float>(width)),
              scaled(memory.take<float>(width)),
              noise(memory.take<float>(width)),
              history(memory.take<float>(max_history_slots * width)),
              answers(memory.take<float>((std::max)(l.prompts, index_t{1}) * clip)) {}
    };

    /// Takes the memory of the loop from the beginning of `memory`; leaves it unchanged if it is too small.
    static kept_memory split(std::span<std::byte>& memory, in_place_limits l) {
        workspace all(memory);
        const kept_memory kept(all, l);
        if (all.overflowed()) return {};
        memory = memory.subspan(all.high_water());
        return kept;
    }
    static std::span<float> floats(float* p) { return {p, to_size(width)}; }

    status check(std::span<const float> latents, std::span<float> out, float guidance_scale) const {
        if (!prior_.state()) return prior_.state();
        const index_t branches = guidance_scale > 1.0f ? 2 : 1;
        if (!is_finite(guidance_scale)) return status::invalid("sample: guidance_scale must be a finite number");
        if (prior_.prompts() != branches)
            return status::invalid("sample: guidance_scale above 1 takes two prompts, and otherwise one",
                                   prior_.prompts(), branches);
        if (std::ssize(latents) != width || std::ssize(out) != width)
            return status::shape("sample: latents and out hold embedding_dim numbers",
                                 std::ssize(latents) != width ? std::ssize(latents) : std::ssize(out), width);
        return {};
    }
    /// The model's answer at a step, its branches combined: u + g (c - u), or only c.
    status answer(const step_coefficients& c, float guidance_scale) {
        for (index_t i = 0; i < width; ++i) kept_.scaled[i] = kept_.x[i] * c.input_scale;
        const std::span<float> answers(kept_.answers, to_size(prior_.prompts() * clip));
        if (const status s = prior_.step(floats(kept_.scaled), c.timestep, answers); !s) return s;
        if (prior_.prompts() == 2)
            for (index_t i = 0; i < clip; ++i) {
                const float u = kept_.answers[i];
                kept_.answers[i] = u + (kept_.answers[clip + i] - u) * guidance_scale;
            }
        return {};
    }
    step_buffers buffers(const step_coefficients& c) const {
        const std::span<const float> answer(kept_.answers, to_size(c.learned_variance ? clip : width));
        step_buffers b{answer, floats(kept_.x), floats(kept_.noise), floats(kept_.x)};
        for (std::size_t k = 0; k < b.history.size(); ++k) b.history[k] = floats(kept_.history + index_t(k) * width);
        return b;
    }

    const Model* model_;
    kept_memory kept_;
    in_place_prior<Model> prior_;
};

/// Bytes of memory that an in_place_sampler of a model needs: a constant, whatever is sampled.
template <class Model>
constexpr std::size_t sampler_bytes(in_place_limits l = {}) {
    return in_place_sampler<Model>::bytes(l);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
