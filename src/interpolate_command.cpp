// SPDX-License-Identifier: Apache-2.0
// apriori interpolate: weighted sums of the embeddings of texts and images, as Kandinsky's pipelines make them.
#include "commands.hpp"
#include "draw_words.hpp"
#include "interrupt.hpp"

#include <fmt/format.h>

#include <chrono>

namespace apriori::program {

namespace {

/// Texts in their order, then images.
struct mixture {
    std::vector<weighted_condition> conditions;
    std::vector<std::vector<float>> images; ///< what the conditions refer to

    static result<mixture> open(const interpolate_options& options, index_t width) {
        mixture m;
        for (const auto& [text, weight] : options.texts) m.conditions.push_back({std::string_view(text), weight});
        for (const auto& [file, weight] : options.images) {
            auto embeds = read_embeddings(file, width);
            if (!embeds) return embeds.error();
            if (static_cast<index_t>(embeds->size()) != width)
                return failure{errc::shape_mismatch,
                               fmt::format("{}: holds {} image embeddings; interpolate takes files of one", file,
                                           static_cast<index_t>(embeds->size()) / width)};
            m.images.push_back(std::move(*embeds));
            m.conditions.push_back({image_embeds{m.images.back()}, weight});
        }
        return m;
    }
};

std::string label_of(const std::vector<weighted_condition>& conditions, const interpolate_options& options) {
    std::string label;
    for (std::size_t i = 0; i < conditions.size(); ++i)
        label += fmt::format("{}{:.2f} {}", i == 0 ? "" : " + ", conditions[i].weight,
                             i < options.texts.size() ? options.texts[i].first
                                                      : options.images[i - options.texts.size()].first);
    return label;
}

} // namespace

result<exit_code> run_interpolate(const interpolate_options& options) {
    auto parts = open_pipeline(options);
    if (!parts) return parts.error();
    auto mix = mixture::open(options, parts->config.embedding_dim);
    if (!mix) return mix.error();
    auto words = open_words(options, parts->config);
    if (!words) return words.error();
    parts->words.emplace(std::move(*words));
    std::vector<std::filesystem::path> inputs;
    for (const auto& image : options.images) inputs.emplace_back(image.first);
    if (auto r = load_prior(options, inputs, *parts); !r) return r.error();

    const auto start = std::chrono::steady_clock::now();
    const auto pipeline = parts->kandinsky();
    interpolation_options more;
    if (options.negative) more.negative_prior_prompt = *options.negative;
    if (options.negative_embedding) more.negative_prompt = *options.negative_embedding;
    const int frames = std::max(options.frames, 1);
    const bool sampled_negative = options.negative || options.negative_embedding;
    run_progress progress(static_cast<int>(parts->steps.steps().size()),
                          frames * (static_cast<int>(options.texts.size()) + (sampled_negative ? 1 : 0)));
    run_report report(*parts);
    made_embeddings all{parts->config.embedding_dim};
    std::vector<std::string> labels;
    for (int f = 0; f < frames; ++f) {
        if (options.frames > 0) {
            const float way = frames > 1 ? static_cast<float>(f) / static_cast<float>(frames - 1) : 0.5f;
            mix->conditions[0].weight = 1.0f - way;
            mix->conditions[1].weight = way;
        }
        labels.push_back(label_of(mix->conditions, options));
        progress.name(labels.back());
        torch_generator random(options.seed); // the same numbers for each, so that the words alone differ
        auto made = pipeline.interpolate(mix->conditions, random, embedding_options_of(options, {}, progress), more);
        progress.clear();
        if (interrupt_signal() != 0) return interrupt_failure();
        if (!made) return made.error();
        if (auto r = report.add(labels.back(), made->image_embeds); !r) return r.error();
        all.image_embeds.insert(all.image_embeds.end(), made->image_embeds.begin(), made->image_embeds.end());
        all.negative_image_embeds.insert(all.negative_image_embeds.end(), made->negative_image_embeds.begin(),
                                         made->negative_image_embeds.end());
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (auto r = report.finish(options, all, settings_of(options, *parts, labels),
                               fmt::format("{} of {}", counted(options.samples, "sample"), counted(frames, "mixture")),
                               spent.count());
        !r)
        return r.error();
    return done;
}

} // namespace apriori::program
