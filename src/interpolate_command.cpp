// SPDX-License-Identifier: Apache-2.0
// apriori interpolate: weighted sums of the embeddings of texts and images, as Kandinsky's pipelines make them.
#include "batch.hpp"
#include "commands.hpp"
#include "draw_words.hpp"
#include "interrupt.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

namespace apriori::program {

namespace {

/// Texts in their order, then images.
struct mixture {
    std::vector<weighted_condition> conditions;
    std::vector<std::vector<float>> images; ///< what the conditions refer to, as they do to the options

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

/// "0.50 a cat + 0.50 a dog".
std::string label_of(const interpolate_options& options) {
    std::string label;
    for (const auto& all : {options.texts, options.images})
        for (const auto& [what, weight] : all)
            label += fmt::format("{}{:.2f} {}", label.empty() ? "" : " + ", weight, what);
    return label;
}

/// How many runs of the sampler a mixture is: of each text, and of a negative embedding that is not the zero image's.
int runs_of(const interpolate_options& options) {
    return static_cast<int>(options.texts.size()) + (options.negative || options.negative_embedding ? 1 : 0);
}

result<made_embeddings> draw(const interpolate_options& options, const pipeline_parts& parts, run_progress& progress) {
    const auto mix = mixture::open(options, parts.config.embedding_dim);
    if (!mix) return mix.error();
    interpolation_options more;
    if (options.negative) more.negative_prior_prompt = *options.negative;
    if (options.negative_embedding) more.negative_prompt = *options.negative_embedding;
    torch_generator random(options.seed);
    auto made =
        parts.kandinsky().interpolate(mix->conditions, random, embedding_options_of(options, {}, progress), more);
    progress.clear();
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!made) return made.error();
    return made_embeddings{made->width, std::move(made->image_embeds), std::move(made->negative_image_embeds)};
}

run_settings settings_of(const interpolate_options& options, const pipeline_parts& parts,
                         const std::vector<std::string>& labels) {
    run_settings settings = program::settings_of(options, parts, labels);
    if (options.negative_embedding) settings.emplace_back("negative_embedding", *options.negative_embedding);
    return settings;
}

/// images_and_prompts, a list of texts and of objects {"image": FILE}, and their weights, as in diffusers.
void read_conditions(io::json_fields& fields, interpolate_options& line) {
    const io::json *what = fields.next("images_and_prompts"), *weights = fields.next("weights");
    if (what == nullptr || weights == nullptr) return fields.refuse("has no fields 'images_and_prompts' and 'weights'");
    if (!what->is_array() || what->empty())
        return fields.refuse("images_and_prompts", *what, "a list of texts and of {\"image\": FILE}");
    if (!weights->is_array() || weights->size() != what->size())
        return fields.refuse("weights", *weights, fmt::format("a list of {} numbers", what->size()));
    for (std::size_t i = 0; i < what->size(); ++i) {
        const io::json &item = (*what)[i], &number = (*weights)[i];
        const float weight = number.is_number() ? number.get<float>() : NAN;
        if (!std::isfinite(weight)) return fields.refuse("weights", *weights, "finite numbers");
        if (item.is_string())
            line.texts.emplace_back(item.get<std::string>(), weight);
        else if (item.is_object() && item.size() == 1 && item.contains("image") && item["image"].is_string())
            line.images.emplace_back(item["image"].get<std::string>(), weight);
        else
            return fields.refuse("images_and_prompts", *what, "a list of texts and of {\"image\": FILE}");
    }
}

result<exit_code> run_lines(const interpolate_options& options, pipeline_parts& parts) {
    run_report report(parts);
    const auto read = [&](io::json_fields& fields, const std::string& where) -> result<batch_line> {
        interpolate_options line = options;
        read_conditions(fields, line);
        read_optional(fields, "negative_prior_prompt", line.negative);
        read_optional(fields, "negative_prompt", line.negative_embedding);
        if (auto r = read_sampling_fields(fields, where, parts.scheduler, line); !r) return r.error();
        if (auto mix = mixture::open(line, parts.config.embedding_dim); !mix)
            return failure{mix.error().code, where + ": " + mix.error().message};
        const std::string label = label_of(line);
        return batch_line{
            label, line.steps * runs_of(line), [=, &parts] { return settings_of(line, parts, {label}); },
            [=, &parts, &report](const std::filesystem::path& file, run_progress& progress) -> result<void> {
                const auto made = draw(line, parts, progress);
                if (!made) return made.error();
                if (auto r = report.add(label, made->image_embeds); !r) return r.error();
                return write_embeddings(file, *made, settings_of(line, parts, {label}));
            }};
    };
    return run_batch(options.batch, options.out, read, [&] { return load_prior(options, {options.batch}, parts); });
}

/// The options of frame f of so many: from the first of two conditions to the second.
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
    if (auto mix = mixture::open(options, parts->config.embedding_dim); !mix) return mix.error();
    auto words = open_words(options, parts->config);
    if (!words) return words.error();
    parts->words.emplace(std::move(*words));
    if (!options.batch.empty()) return run_lines(options, *parts);
    std::vector<std::filesystem::path> inputs;
    for (const auto& image : options.images) inputs.emplace_back(image.first);
    if (auto r = load_prior(options, inputs, *parts); !r) return r.error();

    const auto start = std::chrono::steady_clock::now();
    const int frames = std::max(options.frames, 1);
    run_progress progress(options.steps, frames * runs_of(options));
    run_report report(*parts);
    made_embeddings all{parts->config.embedding_dim};
    std::vector<std::string> labels;
    for (int f = 0; f < frames; ++f) {
        const interpolate_options frame = frame_of(options, f); // the same seed: the words alone differ
        labels.push_back(label_of(frame));
        progress.name(labels.back());
        const auto made = draw(frame, *parts, progress);
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
