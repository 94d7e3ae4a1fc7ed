// SPDX-License-Identifier: Apache-2.0
// apriori emb2emb: image embeddings, noised and then sampled towards texts, as in KandinskyV22PriorEmb2EmbPipeline.
#include "apriori/text/unicode.hpp"
#include "batch.hpp"
#include "commands.hpp"
#include "draw_words.hpp"

#include <fmt/format.h>

namespace apriori::program {

namespace {

/// options.image's embeddings: one, or one for each text.
result<std::vector<float>> read_images(const emb2emb_options& options, index_t width) {
    auto images = read_embeddings(options.image, width);
    if (!images) return images.error();
    const auto count = static_cast<std::int64_t>(images->size()) / width;
    const auto texts = static_cast<std::int64_t>(options.texts.size());
    if (count != 1 && count != texts)
        return failure{errc::shape_mismatch,
                       fmt::format("{}: holds {}; allowed: one, or one for each of the {}", options.image.string(),
                                   counted(count, "image embedding"), counted(texts, "text"))};
    return images;
}

result<made_embeddings> draw(const emb2emb_options& options, const pipeline_parts& parts, std::span<const float> images,
                             run_progress& progress) {
    const std::vector<std::string_view> texts = views_of(options.texts), negative = negatives_of(options, texts.size());
    torch_generator random(options.seed);
    auto made = parts.kandinsky().emb2emb(texts, image_embeds{images}, options.strength, random,
                                          embedding_options_of(options, negative, progress));
    if (auto r = check_made(made, progress); !r) {
        if (r.error().code == errc::cancelled) return r.error(); // interrupted: not the fault of an option
        return failure{r.error().code, "--strength, --image: " + r.error().message};
    }
    report_cut(options.texts, made->cut, parts.words->tokenizer.model_max_length());
    return made_embeddings{made->width, std::move(made->image_embeds), std::move(made->negative_image_embeds)};
}

run_settings settings_of(const emb2emb_options& options, const pipeline_parts& parts, const std::string& image_hash) {
    run_settings settings = program::settings_of(options, parts, options.texts);
    settings.emplace_back("image", unicode::valid_text(options.image.filename().string()));
    settings.emplace_back("image_hash", image_hash);
    settings.emplace_back("strength", fmt::format("{}", options.strength));
    return settings;
}

int steps_of(const emb2emb_options& options) { return static_cast<int>(options.steps * options.strength); }

result<exit_code> run_lines(const emb2emb_options& options, pipeline_parts& parts) {
    run_report report(options, parts);
    const auto read = [&](io::json_fields& fields, const std::string& where) -> result<batch_line> {
        emb2emb_options line = options;
        line.texts.resize(1);
        read_prompt(fields, line.texts.front());
        read_optional(fields, "negative_prompt", line.negative);
        std::string image = line.image.string();
        fields.text("image", image);
        line.image = image;
        fields.number("strength", line.strength, 1e-6, 1.0);
        if (auto r = read_sampling_fields(fields, where, parts.scheduler, line); !r) return r.error();
        if (image.empty())
            return failure{errc::invalid_argument, where + ": has no field 'image', nor is there --image"};
        auto images = read_images(line, parts.config.embedding_dim);
        if (!images) return failure{images.error().code, where + ": " + images.error().message};
        const std::string hash = hash_text(*images);
        return sampled_line(
            line.texts.front(), steps_of(line), report, [=, &parts] { return settings_of(line, parts, hash); },
            [=, &parts, images = std::move(*images)](run_progress& progress) {
                return draw(line, parts, images, progress);
            });
    };
    return run_batch(options.batch, options.out, read, [&] { return load_prior(options, {options.batch}, parts); });
}

} // namespace

result<exit_code> run_emb2emb(const emb2emb_options& options) {
    auto parts = open_pipeline(options);
    if (!parts) return parts.error();
    std::vector<float> images;
    if (options.batch.empty()) {
        auto read = read_images(options, parts->config.embedding_dim);
        if (!read) return read.error();
        images = std::move(*read);
    }
    if (auto r = open_words(options, *parts); !r) return r.error();
    if (!options.batch.empty()) return run_lines(options, *parts);
    if (auto r = run_report::check(options, options.texts.size()); !r) return r.error();
    if (auto r = load_prior(options, {options.image}, *parts); !r) return r.error();

    run_report report(options, *parts);
    run_progress progress(steps_of(options), 1);
    progress.name(counted(static_cast<std::int64_t>(options.texts.size()), "text"));
    const auto made = draw(options, *parts, images, progress);
    if (!made) return made.error();
    if (auto r = report.add_each(options.texts, made->image_embeds); !r) return r.error();
    return report.finish(options, *made, settings_of(options, *parts, hash_text(images)), options.texts.size(), "text");
}

} // namespace apriori::program
