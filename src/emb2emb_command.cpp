// SPDX-License-Identifier: Apache-2.0
// apriori emb2emb: image embeddings, noised and sampled towards texts, as KandinskyV22PriorEmb2EmbPipeline does.
#include "commands.hpp"
#include "draw_words.hpp"
#include "interrupt.hpp"

#include <fmt/format.h>

#include <chrono>

namespace apriori::program {

result<exit_code> run_emb2emb(const emb2emb_options& options) {
    auto parts = open_pipeline(options);
    if (!parts) return parts.error();
    const auto images = read_embeddings(options.image, parts->config.embedding_dim);
    if (!images) return images.error();
    const auto count = static_cast<std::int64_t>(images->size()) / parts->config.embedding_dim;
    const auto texts = static_cast<std::int64_t>(options.texts.size());
    if (count != 1 && count != texts)
        return failure{errc::shape_mismatch,
                       fmt::format("{}: holds {}; allowed: one, or one for each of the {}", options.image.string(),
                                   counted(count, "image embedding"), counted(texts, "text"))};
    auto words = open_words(options, parts->config);
    if (!words) return words.error();
    parts->words.emplace(std::move(*words));
    if (auto r = load_prior(options, {options.image}, *parts); !r) return r.error();

    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::string_view> words_of = views_of(options.texts);
    const std::vector<std::string_view> negative(options.negative ? words_of.size() : 0,
                                                 options.negative ? *options.negative : std::string_view());
    run_progress progress(static_cast<int>(options.steps * options.strength), 1);
    progress.name(counted(texts, "text"));
    torch_generator random(options.seed);
    auto made = parts->kandinsky().emb2emb(words_of, image_embeds{*images}, options.strength, random,
                                           embedding_options_of(options, negative, progress));
    progress.clear();
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!made) return failure{made.error().code, "--strength, --image: " + made.error().message};
    report_cut(options.texts, made->cut, parts->words->tokenizer.model_max_length());
    const made_embeddings all{made->width, std::move(made->image_embeds), std::move(made->negative_image_embeds)};
    run_report report(*parts);
    const std::size_t each = all.image_embeds.size() / options.texts.size(); // floats of a text
    for (std::size_t t = 0; t < options.texts.size(); ++t)
        if (auto r = report.add(options.texts[t], std::span(all.image_embeds).subspan(t * each, each)); !r)
            return r.error();
    run_settings settings = settings_of(options, *parts, options.texts);
    settings.emplace_back("strength", fmt::format("{}", options.strength));
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (auto r = report.finish(options, all, settings,
                               fmt::format("{} of {}", counted(options.samples, "sample"), counted(texts, "text")),
                               spent.count());
        !r)
        return r.error();
    return done;
}

} // namespace apriori::program
