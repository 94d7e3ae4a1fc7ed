// SPDX-License-Identifier: Apache-2.0
#include "draw_words.hpp"

namespace apriori::program {

std::vector<std::string_view> views_of(std::span<const std::string> texts) { return {texts.begin(), texts.end()}; }

std::vector<std::string_view> negatives_of(const pipeline_options& options, std::size_t texts) {
    if (!options.negative) return {};
    return std::vector<std::string_view>(texts, *options.negative);
}

embedding_options embedding_options_of(const pipeline_options& options, std::span<const std::string_view> negative,
                                       run_progress& progress) {
    return {.num_inference_steps = options.steps,
            .num_images_per_prompt = options.samples,
            .guidance_scale = options.guidance,
            .negative_prompt = negative,
            .mask_text_encoder = options.mask_text_encoder,
            .latents = {},
            .latents_for_callback = false,
            .callback_on_step_end = progress.on_step()};
}

void generators_of_parts::randn(std::span<float> out) {
    const std::size_t each = out.size() / parts_.size();
    for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].randn(out.subspan(i * each, each));
}

result<made_embeddings> draw_words(const pipeline_options& options, const pipeline_parts& parts,
                                   std::span<const std::string> texts, std::span<const std::string_view> negative,
                                   generators_of_parts random, run_progress& progress) {
    const std::vector<std::string_view> words = views_of(texts);
    const embedding_options each = embedding_options_of(options, negative, progress);
    const index_t tokens = parts.words->tokenizer.model_max_length();
    if (parts.is_kandinsky()) {
        auto made = parts.kandinsky()(words, random, each);
        if (auto r = check_made(made, progress); !r) return r.error();
        report_cut(texts, made->cut, tokens);
        return made_embeddings{made->width, std::move(made->image_embeds), std::move(made->negative_image_embeds)};
    }
    auto made = parts.unclip()(words, random, each);
    if (auto r = check_made(made, progress); !r) return r.error();
    report_cut(texts, made->cut, tokens);
    return made_embeddings{made->width, std::move(made->image_embeds)};
}

} // namespace apriori::program
