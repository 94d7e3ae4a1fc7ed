// SPDX-License-Identifier: Apache-2.0
// The program's models as the library's pipelines take them: one instantiation of each pipeline serves all models.
// open_words checks that their widths fit together.
#pragma once

#include "any_prior.hpp"
#include "apriori/pipelines/kandinsky_prior.hpp"
#include "apriori/text/clip_tokenizer.hpp"

namespace apriori::program {

struct pipeline_prior {
    PriorConfig config;
    any_prior* model = nullptr;
};

/// Pipelines call this for their samples; see apriori::sample_prompts.
template <normal_generator Random>
result<std::vector<float>> sample_prompts(const pipeline_prior& prior, const schedule& steps,
                                          std::span<const prior_prompt> prompts, index_t samples, index_t,
                                          std::span<const float> latents, Random& random,
                                          const sampling_options& options) {
    return prior.model->sample({.steps = &steps,
                                .prompts = prompts,
                                .samples = samples,
                                .latents = latents,
                                .noise = [&random](std::span<float> z) { random.randn(z); },
                                .options = options});
}

struct pipeline_text_encoder {
    index_t width = 0, embedding = 0; ///< hidden_size, and the width of the projection
    const any_text_encoder* model = nullptr;

    std::int32_t vocab_size() const { return model->vocab_size(); }
    result<clip_text_encoding> encode(std::span<const std::int32_t> input_ids, index_t rows,
                                      std::span<const std::uint8_t> attention_mask) const {
        return model->encode(input_ids, rows, attention_mask);
    }
};

/// Without a model there are no negative embeddings: such a folder is not one of Kandinsky's.
struct pipeline_image_encoder {
    CLIPVisionConfig config{};
    const any_image_encoder* model = nullptr;

    result<clip_vision_encoding> encode(std::span<const float> pixel_values, index_t rows) const {
        if (model == nullptr) return failure{errc::unsupported, "the model has no image_encoder"};
        return model->encode(pixel_values, rows);
    }
    result<std::vector<float>> zero_image_embedding() const {
        if (model == nullptr) return std::vector<float>();
        const auto pixels =
            static_cast<std::size_t>(index_t{config.num_channels} * config.image_size * config.image_size);
        auto encoded = model->encode(std::vector<float>(pixels), 1);
        if (!encoded) return encoded.error();
        return std::move(encoded->image_embeds);
    }
};

using unclip_pipeline = text_to_embedding<clip_tokenizer, pipeline_text_encoder, pipeline_prior>;
using kandinsky_pipeline =
    kandinsky_prior<clip_tokenizer, pipeline_text_encoder, pipeline_image_encoder, pipeline_prior>;

} // namespace apriori::program
