// SPDX-License-Identifier: Apache-2.0
// unCLIP from texts to image embeddings: the prior's half of diffusers' UnCLIPPipeline (Karlo) and
// StableUnCLIPPipeline, and of its Kandinsky pipelines.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/pipelines/encode_texts.hpp"
#include "apriori/pipelines/sample_prompts.hpp"
#include "apriori/schedulers/any_scheduler.hpp"

#include <type_traits>
#include <utility>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The arguments of text_to_embedding besides its texts; names and defaults are diffusers'.
struct embedding_options {
    int num_inference_steps = 25;
    index_t num_images_per_prompt = 1;
    float guidance_scale = 4.0f; ///< 1 and less: no guidance
    /// Texts to guide away from: one for each text. Empty: the empty text for all.
    std::span<const std::string_view> negative_prompt{};
    bool mask_text_encoder = false; ///< see text_encoding_options
    /// Standard normal, [texts, num_images_per_prompt, embedding_dim]. Empty: drawn from the generator.
    std::span<const float> latents{};
    bool latents_for_callback = false; ///< copy latents to the host for callback_on_step_end
    std::function<bool(const sampling_step&)> callback_on_step_end{}; ///< returning false stops the sampling
};

/// Where sampling starts if not from pure noise (emb2emb): only the last `strength` of the steps are taken.
struct embedding_start {
    std::span<const float> image_embeds{}; ///< [images, width]; repeated for all rows
    double strength = 0.3;                 ///< above 0, to 1
};

/// Image embeddings of some texts.
struct image_embeddings {
    index_t rows = 0, width = 0;
    std::vector<float> image_embeds{}; ///< [rows, width], the samples of a text one after the other
    std::vector<float> text_embeds{};  ///< [texts, width of the text encoder]
    std::vector<index_t> cut{};        ///< [texts] how many tokens of each text did not fit

    std::span<const float> row(index_t r) const noexcept { return part(image_embeds, r * width, width); }
};

namespace detail {

/// Whether a text encoder's outputs fit a prior, as far as the types say. A program's own types, which stand for any
/// model, have their widths as members, and are checked where they are combined.
template <class TextEncoder, class Prior>
consteval bool text_widths_fit() {
    if constexpr (!std::is_member_object_pointer_v<decltype(&Prior::config)>)
        return TextEncoder::width == Prior::config.embedding_dim &&
               TextEncoder::embedding == Prior::config.embedding_proj_dim;
    else
        return true;
}

} // namespace detail

/// Tokenizer, text encoder, prior and scheduler together. The models share their weights; the
/// tokenizer must outlive the pipeline.
template <class Tokenizer, class TextEncoder, class Prior>
class text_to_embedding {
public:
    static_assert(
        detail::text_widths_fit<TextEncoder, Prior>(),
        "apriori: this text encoder's hidden_size is not the prior's embedding_dim, or its projection_dim not "
        "the prior's embedding_proj_dim");

    text_to_embedding(const Tokenizer& tokenizer, TextEncoder text_encoder, Prior prior, any_scheduler_config scheduler)
        : tokenizer_(&tokenizer),
          text_encoder_(std::move(text_encoder)),
          prior_(std::move(prior)),
          scheduler_(std::move(scheduler)) {}

    /// Embeddings [texts * num_images_per_prompt, embedding_dim]. Draws from `random`, in diffusers'
    /// order, the latents of all texts and then the noise of each step that takes some. With a `start`,
    /// its noise is drawn instead of latents.
    template <normal_generator Random>
    result<image_embeddings> operator()(std::span<const std::string_view> texts, Random& random,
                                        const embedding_options& options = {},
                                        const embedding_start& start = {}) const {
        if (!options.negative_prompt.empty() && options.negative_prompt.size() != texts.size())
            return failure(errc::invalid_argument, "negative_prompt has ", options.negative_prompt.size(),
                           " texts for ", texts.size(), "; give one for each, or none");
        if (auto r = detail::check_images_per_prompt(options.num_images_per_prompt); !r) return r.error();
        const auto steps = plan(options, start);
        if (!steps) return steps.error();
        auto encoded = encode_texts(*tokenizer_, text_encoder_, texts, {options.mask_text_encoder});
        if (!encoded) return encoded.error();
        std::vector<prior_prompt> prompts;
        encoded_texts unconditional;
        if (uses_guidance(options.guidance_scale)) {
            static constexpr std::string_view nothing[] = {""};
            auto made = encode_texts(*tokenizer_, text_encoder_,
                                     options.negative_prompt.empty() ? std::span(nothing) : options.negative_prompt,
                                     {options.mask_text_encoder});
            if (!made) return made.error();
            unconditional = std::move(*made);
            for (index_t t = 0; t < encoded->rows; ++t) prompts.push_back(unconditional[t % unconditional.rows]);
        }
        for (index_t t = 0; t < encoded->rows; ++t) prompts.push_back((*encoded)[t]);

        const index_t rows = encoded->rows * options.num_images_per_prompt;
        const auto first = first_latents(rows, *steps, random, options, start);
        if (!first) return first.error();
        auto values = sample_prompts(prior_, *steps, prompts, options.num_images_per_prompt, 1, *first, random,
                                     {.guidance_scale = options.guidance_scale,
                                      .scale_latents = start.image_embeds.empty(),
                                      .latents_for_callback = options.latents_for_callback,
                                      .on_step = options.callback_on_step_end});
        if (!values) return values.error();
        return image_embeddings{rows, width(), std::move(*values), std::move(encoded->text_embeds),
                                std::move(encoded->cut)};
    }

    /// The steps of a call. invalid_argument if `start` leaves none.
    result<schedule> plan(const embedding_options& options, const embedding_start& start = {}) const {
        schedule_request request{.num_inference_steps = options.num_inference_steps};
        if (!start.image_embeds.empty()) {
            const bool within = start.strength > 0 && start.strength <= 1;
            const int taken = within ? int(options.num_inference_steps * start.strength) : 0;
            if (taken < 1)
                return failure(errc::invalid_argument, "strength ", start.strength, " of ", options.num_inference_steps,
                               " steps is none; allowed: above 0, to 1, and a step or more");
            request.begin = options.num_inference_steps - taken;
        }
        schedule steps;
        if (const status s = plan_schedule(scheduler_, request, steps); !s) return to_failure(s);
        return steps;
    }

    const Prior& prior() const noexcept { return prior_; }
    /// The width of an embedding.
    index_t width() const noexcept { return prior_.config.embedding_dim; }

private:
    /// The latents, given or drawn; or the images of `start` noised to the level of the first step.
    result<std::vector<float>> first_latents(index_t rows, const schedule& steps, auto& random,
                                             const embedding_options& options, const embedding_start& start) const {
        const auto x0 = start.image_embeds;
        if (std::ssize(x0) % width() != 0 || (!x0.empty() && rows * width() % std::ssize(x0) != 0))
            return failure(errc::shape_mismatch, "image embeddings: ", x0.size(), " numbers are not rows of ", width(),
                           " that can be shared out to ", rows);
        auto latents = detail::given_or_drawn(options.latents, rows, width(), random);
        if (!latents || x0.empty()) return latents;
        const step_coefficients& c = steps.steps().front();
        std::size_t i = 0;
        for (float& x : *latents) x = c.signal * x0[i++ % x0.size()] + c.level * x;
        return latents;
    }

    const Tokenizer* tokenizer_;
    TextEncoder text_encoder_;
    Prior prior_;
    any_scheduler_config scheduler_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
