// SPDX-License-Identifier: Apache-2.0
#include "draw_words.hpp"

#include "interrupt.hpp"

namespace apriori::program {

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

std::vector<std::string_view> views_of(std::span<const std::string> texts) { return {texts.begin(), texts.end()}; }

result<made_embeddings> draw_words(const pipeline_options& options, const pipeline_parts& parts,
                                   std::span<const std::string> texts, torch_generator& random,
                                   run_progress& progress) {
    const std::vector<std::string_view> words = views_of(texts);
    const std::vector<std::string_view> negative(options.negative ? words.size() : 0,
                                                 options.negative ? *options.negative : std::string_view());
    const embedding_options each = embedding_options_of(options, negative, progress);
    const auto report = [&](const std::vector<index_t>& cut) {
        progress.clear();
        report_cut(texts, cut, parts.words->tokenizer.model_max_length());
    };
    if (parts.is_kandinsky()) {
        auto made = parts.kandinsky()(words, random, each);
        if (interrupt_signal() != 0) return interrupt_failure();
        if (!made) return made.error();
        report(made->cut);
        return made_embeddings{made->width, std::move(made->image_embeds), std::move(made->negative_image_embeds)};
    }
    auto made = parts.unclip()(words, random, each);
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!made) return made.error();
    report(made->cut);
    return made_embeddings{made->width, std::move(made->values)};
}

} // namespace apriori::program
