// SPDX-License-Identifier: Apache-2.0
// ECLIPSE (Patel et al. 2023): from texts to image embeddings in one pass of a prior without a time embedding. An
// extension: diffusers has neither the model nor the pipeline. The numbers that are drawn, and what is left out
// (guidance, clip_mean and clip_std), are as in its authors' pipelines.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/pipelines/denoiser.hpp"
#include "apriori/pipelines/text_to_embedding.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The arguments of eclipse_prior besides its texts.
struct eclipse_options {
    index_t num_images_per_prompt = 1;
    /// Standard normal, [texts, num_images_per_prompt, embedding_dim]. Empty: drawn from the generator.
    std::span<const float> latents{};
};

/// Tokenizer, text encoder and prior together. The models share their weights; the tokenizer must outlive the pipeline.
template <class Tokenizer, class TextEncoder, class Prior>
class eclipse_prior {
public:
    static constexpr index_t width = Prior::config.embedding_dim;
    static_assert(!Prior::config.time_embedding,
                  "apriori: eclipse_prior takes a prior without time_embedding; text_to_embedding samples from others");
    static_assert(
        TextEncoder::width == width && TextEncoder::embedding == Prior::config.embedding_proj_dim &&
            Prior::config.clip_embed_dim == width,
        "apriori: this text encoder's hidden_size is not the prior's embedding_dim, or its projection_dim not "
        "the prior's embedding_proj_dim, or the prior's clip_embed_dim not its embedding_dim");

    eclipse_prior(const Tokenizer& tokenizer, TextEncoder text_encoder, Prior prior)
        : tokenizer_(&tokenizer), text_encoder_(std::move(text_encoder)), prior_(std::move(prior)) {}

    /// Embeddings [texts * num_images_per_prompt, embedding_dim]; their noise is drawn from `random`. Pass negative
    /// prompts as further texts after the others; their embeddings are a decoder's negative_image_embeds.
    template <normal_generator Random>
    result<image_embeddings> operator()(std::span<const std::string_view> texts, Random& random,
                                        const eclipse_options& options = {}) const {
        const index_t samples = options.num_images_per_prompt;
        if (auto r = detail::check_images_per_prompt(samples); !r) return r.error();
        auto encoded = encode_texts(*tokenizer_, text_encoder_, texts);
        if (!encoded) return encoded.error();
        const index_t rows = encoded->rows * samples;
        auto values = detail::given_or_drawn(options.latents, rows, width, random);
        if (!values) return values.error();
        std::vector<prior_prompt> prompts;
        for (index_t t = 0; t < encoded->rows; ++t) prompts.push_back((*encoded)[t]);
        if (auto r = one_pass(prompts, samples, *values); !r) return r.error();
        return image_embeddings{rows, width, std::move(*values), std::move(encoded->text_embeds),
                                std::move(encoded->cut)};
    }

    const Prior& prior() const noexcept { return prior_; }

private:
    /// Replaces the latents in `values` by the prior's answers to them.
    result<void> one_pass(std::span<const prior_prompt> prompts, index_t samples, std::vector<float>& values) const {
        auto denoiser = forward_denoiser<Prior>::make(prior_, prompts, samples, 1, 1);
        if (!denoiser) return denoiser.error();
        device_staging<typename Prior::device_type> on(prior_.device(), "no memory for the latents; ask for fewer");
        const auto latents = on.copy(values);
        if (!on.state) return on.state;
        const view x(latents.data(), extents<dyn, width>(denoiser->rows()));
        const auto answers = (*denoiser)(x, 0.0f); // the timestep is not used
        if (!answers) return answers.error();
        on.check(prior_.device().synchronize());
        if (on.state) on.check(prior_.device().download(values.data(), answers->data, values.size() * sizeof(float)));
        return on.state;
    }

    const Tokenizer* tokenizer_;
    TextEncoder text_encoder_;
    Prior prior_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
