// SPDX-License-Identifier: Apache-2.0
// The prior's half of diffusers' ShapEPipeline and ShapEImg2ImgPipeline: latents of objects, from texts or images.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/pipelines/text_to_embedding.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The arguments of shap_e_prior; names and defaults are diffusers'.
struct shap_e_options {
    int num_inference_steps = 25;
    index_t num_images_per_prompt = 1;
    float guidance_scale = 4.0f; ///< 1 and less: no guidance
    /// Standard normal, [prompts, num_images_per_prompt, num_embeddings, embedding_dim].
    /// Empty: drawn from the generator.
    std::span<const float> latents{};
    std::function<bool(const sampling_step&)> callback_on_step_end{}; ///< returning false stops the sampling
};

/// Samples latents [prompts * num_images_per_prompt, num_embeddings, embedding_dim]. The learnt variance, the second
/// half of the channels of each answer, is not used. There are no masks and no tokens of text: the prior sees a
/// pooled text, or an image's patches.
template <class Prior>
class shap_e_prior {
public:
    static constexpr auto config = Prior::config;
    static constexpr index_t tokens = config.num_embeddings, width = config.embedding_dim;
    static constexpr index_t proj = config.embedding_proj_dim;

    shap_e_prior(Prior prior, any_scheduler_config scheduler)
        : prior_(std::move(prior)), scheduler_(std::move(scheduler)) {}

    /// Latents of texts, from their embeddings by a CLIPTextModelWithProjection, scaled to unit variance.
    template <class Tokenizer, class TextEncoder, normal_generator Random>
    result<std::vector<float>> from_texts(const Tokenizer& tokenizer, const TextEncoder& text_encoder,
                                          std::span<const std::string_view> texts, Random& random,
                                          const shap_e_options& options = {}) const {
        static_assert(TextEncoder::embedding == proj,
                      "apriori: this text encoder's projection_dim is not the prior's embedding_proj_dim");
        auto encoded = encode_texts(tokenizer, text_encoder, texts, {.pad_token_id = 0});
        if (!encoded) return encoded.error();
        const float unit = std::sqrt(float(proj));
        for (index_t t = 0; t < encoded->rows; ++t) {
            const auto row = part(encoded->text_embeds, t * proj, proj);
            double squares = 0;
            for (const double x : row) squares += x * x;
            const float norm = float(std::sqrt(squares));
            for (float& x : row) x = x / norm * unit;
        }
        return run(encoded->text_embeds, encoded->rows, random, options);
    }

    /// Latents of images, normalised pixels [images, channels, edge, edge], from the hidden states of a CLIPVisionModel
    /// without that of the class token.
    template <class ImageEncoder, normal_generator Random>
    result<std::vector<float>> from_images(const ImageEncoder& image_encoder, std::span<const float> pixels,
                                           index_t images, Random& random, const shap_e_options& options = {}) const {
        static_assert(ImageEncoder::width == proj,
                      "apriori: this image encoder's hidden_size is not the prior's embedding_proj_dim");
        const auto encoded = image_encoder.encode(pixels, images);
        if (!encoded) return encoded.error();
        std::vector<float> patches;
        const auto& hidden = encoded->last_hidden_state;
        for (auto image = hidden.begin(); image != hidden.end(); image += ImageEncoder::tokens * proj)
            patches.insert(patches.end(), image + proj, image + ImageEncoder::tokens * proj);
        return run(patches, images, random, options);
    }

private:
    /// Samples prompts [count, tokens of a prompt, proj], guided away from zeros.
    result<std::vector<float>> run(std::span<const float> conditions, index_t count, auto& random,
                                   const shap_e_options& options) const {
        schedule steps;
        if (const status s = plan_schedule(scheduler_, {.num_inference_steps = options.num_inference_steps}, steps); !s)
            return to_failure(s);
        if (auto r = detail::check_images_per_prompt(options.num_images_per_prompt); !r) return r.error();
        const index_t each = std::ssize(conditions) / count;
        const std::vector<float> zeros(to_size(each), 0.0f);
        std::vector<prior_prompt> prompts;
        if (uses_guidance(options.guidance_scale)) prompts.assign(to_size(count), prior_prompt{zeros});
        for (index_t p = 0; p < count; ++p) prompts.push_back({part(conditions, p * each, each)});
        const auto latents =
            detail::given_or_drawn(options.latents, count * options.num_images_per_prompt * tokens, width, random);
        if (!latents) return latents.error();
        return sample_prompts(prior_, steps, prompts, options.num_images_per_prompt, tokens, *latents, random,
                              {.guidance_scale = options.guidance_scale, .on_step = options.callback_on_step_end});
    }

    Prior prior_;
    any_scheduler_config scheduler_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
