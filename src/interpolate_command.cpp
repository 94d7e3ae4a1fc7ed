// SPDX-License-Identifier: Apache-2.0
// apriori interpolate: weighted sums of the embeddings of texts and images, as in Kandinsky's pipelines.
#include "apriori/text/unicode.hpp"
#include "batch.hpp"
#include "commands.hpp"
#include "draw_words.hpp"

#include <fmt/format.h>

#include <cmath>

namespace apriori::program {

namespace {

/// The embeddings of the options' images, in their order.
result<std::vector<std::vector<float>>> read_images(const interpolate_options& options, index_t width) {
    std::vector<std::vector<float>> images;
    for (const auto& [file, weight] : options.images) {
        auto embeds = read_embeddings(file, width);
        if (!embeds) return embeds.error();
        if (static_cast<index_t>(embeds->size()) != width)
            return failure{errc::shape_mismatch,
                           fmt::format("{}: holds {} image embeddings; interpolate takes files of one", file,
                                       static_cast<index_t>(embeds->size()) / width)};
        images.push_back(std::move(*embeds));
    }
    return images;
}

/// The text "0.50 a cat + 0.50 a dog".
std::string label_of(const interpolate_options& options) {
    std::string label;
    for (const auto* all : {&options.texts, &options.images})
        for (const auto& [what, weight] : *all)
            label += fmt::format("{}{:.2f} {}", label.empty() ? "" : " + ", weight, what);
    return label;
}

/// All that a mixture is made of, for its file's metadata: `0.5 text + 0.5 image 0123456789abcdef of ["a cat"]`, with
/// the hash of the image's values.
std::string mixture_of(const interpolate_options& options, const std::vector<std::vector<float>>& images) {
    std::string mixture;
    std::vector<std::string> texts;
    const auto add = [&](float weight, const std::string& what) {
        mixture += fmt::format("{}{} {}", mixture.empty() ? "" : " + ", weight, what);
    };
    for (const auto& [text, weight] : options.texts) {
        add(weight, "text");
        texts.push_back(text);
    }
    for (std::size_t i = 0; i < images.size(); ++i) add(options.images[i].second, "image " + hash_text(images[i]));
    return mixture + " of " + prompts_text(texts);
}

/// The number of sampler runs for a mixture: one for each text, and one for a negative
/// embedding other than the zero image's.
int runs_of(const interpolate_options& options) {
    return static_cast<int>(options.texts.size()) + (options.negative || options.negative_embedding ? 1 : 0);
}

/// Mixes the texts in their order, then the images.
result<made_embeddings> draw(const interpolate_options& options, const std::vector<std::vector<float>>& images,
                             const pipeline_parts& parts, run_progress& progress) {
    std::vector<weighted_condition> conditions;
    for (const auto& [text, weight] : options.texts) conditions.push_back({std::string_view(text), weight});
    for (std::size_t i = 0; i < images.size(); ++i)
        conditions.push_back({image_embeds{images[i]}, options.images[i].second});
    interpolation_options more{.sum_samples = parts.sum_samples};
    if (options.negative) more.negative_prior_prompt = *options.negative;
    if (options.negative_embedding) more.negative_prompt = *options.negative_embedding;
    torch_generator random(options.seed);
    auto made = parts.kandinsky().interpolate(conditions, random, embedding_options_of(options, {}, progress), more);
    if (auto r = check_made(made, progress); !r) return r.error();
    return made_embeddings{made->width, std::move(made->image_embeds), std::move(made->negative_image_embeds)};
}

run_settings settings_of(const interpolate_options& options, const pipeline_parts& parts,
                         const std::vector<std::string>& labels, const std::string& mixture) {
    run_settings settings = program::settings_of(options, parts, labels);
    settings.emplace_back("mixture", mixture);
    if (options.frames > 0)
        settings.emplace_back("frames", std::to_string(options.frames)); // with weights of their own
    if (options.negative_embedding)
        settings.emplace_back("negative_embedding", unicode::valid_text(*options.negative_embedding));
    return settings;
}

/// Reads images_and_prompts, a list of texts and of objects {"image": FILE}, and their weights, as in diffusers.
void read_conditions(io::json_fields& fields, interpolate_options& line) {
    const io::json *what = fields.next("images_and_prompts"), *weights = fields.next("weights");
    if (what == nullptr || weights == nullptr) return fields.refuse("has no fields 'images_and_prompts' and 'weights'");
    const auto items = what->items(), numbers = weights->items();
    if (!what->is(json_kind::array) || items.empty())
        return fields.refuse("images_and_prompts", *what, "a list of texts and of {\"image\": FILE}");
    if (!weights->is(json_kind::array) || numbers.size() != items.size())
        return fields.refuse("weights", *weights, fmt::format("a list of {} numbers", items.size()));
    for (std::size_t i = 0; i < items.size(); ++i) {
        const io::json &item = items[i].value, image = item["image"];
        const auto weight = static_cast<float>(numbers[i].value.number());
        if (!std::isfinite(weight)) return fields.refuse("weights", *weights, "finite numbers");
        if (item.is(json_kind::string))
            line.texts.emplace_back(item.string(), weight);
        else if (image.is(json_kind::string) && item.items().size() == 1)
            line.images.emplace_back(image.string(), weight);
        else
            return fields.refuse("images_and_prompts", *what, "a list of texts and of {\"image\": FILE}");
    }
}

result<exit_code> run_lines(const interpolate_options& options, pipeline_parts& parts) {
    run_report report(options, parts);
    const auto read = [&](io::json_fields& fields, const std::string& where) -> result<batch_line> {
        interpolate_options line = options;
        read_conditions(fields, line);
        read_optional(fields, "negative_prior_prompt", line.negative);
        read_optional(fields, "negative_prompt", line.negative_embedding);
        if (auto r = read_sampling_fields(fields, where, parts.scheduler, line); !r) return r.error();
        auto images = read_images(line, parts.config.embedding_dim);
        if (!images) return failure{images.error().code, where + ": " + images.error().message};
        const std::string label = label_of(line), mixture = mixture_of(line, *images);
        return sampled_line(
            label, line.steps * runs_of(line), report,
            [=, &parts] { return settings_of(line, parts, {label}, mixture); },
            [=, &parts, images = std::move(*images)](run_progress& progress) {
                return draw(line, images, parts, progress);
            });
    };
    return run_batch(options.batch, options.out, read, [&] { return load_prior(options, {options.batch}, parts); });
}

/// The options of frame f of options.frames, from the first of two conditions to the second.
interpolate_options frame_of(const interpolate_options& options, int f) {
    interpolate_options frame = options;
    if (options.frames == 0) return frame;
    const float way = options.frames > 1 ? static_cast<float>(f) / static_cast<float>(options.frames - 1) : 0.5f;
    float weight = 1.0f - way;
    for (auto* all : {&frame.texts, &frame.images})
        for (auto& condition : *all) condition.second = std::exchange(weight, way);
    return frame;
}

} // namespace

result<exit_code> run_interpolate(const interpolate_options& options) {
    auto parts = open_pipeline(options);
    if (!parts) return parts.error();
    const auto images = read_images(options, parts->config.embedding_dim);
    if (!images) return images.error();
    if (auto r = open_words(options, *parts); !r) return r.error();
    if (!options.batch.empty()) return run_lines(options, *parts);
    const int frames = std::max(options.frames, 1);
    if (auto r = run_report::check(options, static_cast<std::size_t>(frames)); !r) return r.error();
    std::vector<std::filesystem::path> inputs;
    for (const auto& image : options.images) inputs.emplace_back(image.first);
    if (auto r = load_prior(options, inputs, *parts); !r) return r.error();

    run_report report(options, *parts);
    run_progress progress(options.steps, frames * runs_of(options));
    made_embeddings all{parts->config.embedding_dim};
    std::vector<std::string> labels;
    for (int f = 0; f < frames; ++f) {
        const interpolate_options frame = frame_of(options, f); // the same seed: only the texts differ
        labels.push_back(label_of(frame));
        progress.name(labels.back());
        const auto made = draw(frame, *images, *parts, progress);
        if (!made) return made.error();
        if (auto r = report.add(labels.back(), made->image_embeds); !r) return r.error();
        all.image_embeds.insert(all.image_embeds.end(), made->image_embeds.begin(), made->image_embeds.end());
        all.negative_image_embeds.insert(all.negative_image_embeds.end(), made->negative_image_embeds.begin(),
                                         made->negative_image_embeds.end());
    }
    return report.finish(options, all, settings_of(options, *parts, labels, mixture_of(options, *images)),
                         labels.size(), "mixture");
}

} // namespace apriori::program
