// SPDX-License-Identifier: Apache-2.0
#include "calibration.hpp"

#include "apriori/core/torch_random.hpp"
#include "batch.hpp"
#include "conditions.hpp"
#include "pipeline_parts.hpp"
#include "run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace apriori::program {

namespace {

/// A prompt, and how it is sampled.
struct calibration_prompt {
    pipeline_options options;
    schedule steps;
    condition conditional, unconditional;

    index_t branches() const { return uses_guidance(options.guidance) ? 2 : 1; }
    index_t forwards() const { return options.samples * branches() * std::ssize(steps.steps()); }
};

/// The most forwards of a sampling that a calibration runs at once: 512, or fewer if their activations would take more
/// than about 4 GB, but at least 32.
index_t most_forwards(const PriorConfig& c) {
    const double tokens = c.num_embeddings + c.additional_embeddings, bytes = 160.0 * tokens * c.inner_dim();
    return std::clamp(static_cast<index_t>(4e9 / bytes), index_t{32}, index_t{512});
}

condition condition_of(const prior_prompt& p) {
    return {{p.text_embeds.begin(), p.text_embeds.end()},
            {p.last_hidden_state.begin(), p.last_hidden_state.end()},
            {p.attention_mask.begin(), p.attention_mask.end()}};
}

/// Selects `most` of `all` things that come one by one, evenly.
class even_choice {
public:
    even_choice(index_t all, index_t most) : all_(all), most_(std::min(all, most)) {}
    bool next() {
        const index_t before = seen_++ * most_ / all_;
        return seen_ * most_ / all_ != before;
    }

private:
    index_t all_, most_, seen_ = 0;
};

class calibration {
public:
    explicit calibration(pipeline_parts parts) : parts_(std::move(parts)) {}

    result<void> read_prompts(const pack_options& from, const pipeline_options& base) {
        const auto count =
            for_each_line(from.calibrate, [&](io::json_fields& fields, const std::string& where) -> result<void> {
                pipeline_options o = base;
                o.seed = prompts_.size(); // unless the line has one: otherwise all would have the same latents
                std::string text;
                read_prompt(fields, text);
                read_optional(fields, "negative_prompt", o.negative);
                if (auto r = read_sampling_fields(fields, where, parts_.scheduler, o); !r) return r.error();
                texts_.push_back({std::move(text), o.negative.value_or("")});
                return add(o);
            });
        if (!count) return count.error();
        if (auto r = open_words(base, parts_); !r) return r.error();
        for (std::size_t i = 0; i < prompts_.size(); ++i) {
            const std::string_view both[] = {texts_[i].first, texts_[i].second};
            const auto encoded =
                encode_texts(parts_.words->tokenizer, parts_.words->text, both, {from.mask_text_encoder});
            if (!encoded)
                return failure{encoded.error().code, from.calibrate.string() + ": " + encoded.error().message};
            prompts_[i].conditional = condition_of((*encoded)[0]);
            prompts_[i].unconditional = condition_of((*encoded)[1]);
        }
        return {};
    }
    result<void> read_conditions(const pack_options& from, const pipeline_options& base) {
        const auto file = conditions_file::open(from.conditions);
        if (!file) return file.error();
        const auto unconditional = file->read(conditions_file::unconditional, parts_.config);
        if (!unconditional)
            return failure{unconditional.error().code, unconditional.error().message + " (guidance needs it)"};
        for (const auto& name : file->names()) {
            if (name == conditions_file::unconditional) continue;
            auto c = file->read(name, parts_.config);
            if (!c) return c.error();
            pipeline_options o = base;
            o.seed = prompts_.size();
            if (auto r = add(o); !r) return r.error();
            texts_.push_back({name, {}});
            prompts_.back().conditional = std::move(*c);
            prompts_.back().unconditional = *unconditional;
        }
        if (prompts_.empty())
            return failure{errc::not_found, from.conditions.string() + ": holds the unconditional condition alone"};
        return {};
    }

    /// Samples with weights in float32, then rounds them.
    result<nibble_source> operator()(const any_source& weights, const pack_options& options) {
        device_options on = options.on;
        on.weights = "f32";
        const auto models = catalogue::open(on);
        if (!models) return models.error();
        const auto entry = models->find(parts_.config, on, pipeline_folder{options.model}.prior() / "config.json");
        if (!entry) return entry.error();
        auto model = (*entry)->load(weights, on.threads);
        if (!model) return model.error();
        const auto inputs = sample(**model);
        if (!inputs) return inputs.error();
        progress bar(100, "%");
        const auto on_matrix = [&bar](index_t done, index_t count, std::string_view slot) {
            bar.at(static_cast<int>(done * 100 / std::max(count, index_t{1})), fmt::format("rounding {}", slot));
            return interrupt_signal() == 0;
        };
        return (*model)->calibrate({&weights, &*inputs, on_matrix});
    }

private:
    result<void> add(const pipeline_options& o) {
        calibration_prompt p{o, {}, {}, {}};
        if (const status s = plan_schedule(parts_.scheduler, {.num_inference_steps = o.steps}, p.steps); !s.ok())
            return to_failure(s);
        steps_ += std::ssize(p.steps.steps());
        forwards_ += p.forwards();
        prompts_.push_back(std::move(p));
        return {};
    }
    result<calibration_inputs> sample(any_prior& model) const {
        const auto dim = static_cast<std::size_t>(parts_.config.embedding_dim);
        calibration_inputs inputs;
        inputs.text_tokens = parts_.config.num_embeddings;
        even_choice choice(forwards_, most_forwards(parts_.config));
        progress bar(static_cast<int>(steps_), "steps");
        int done = 0;
        for (std::size_t i = 0; i < prompts_.size(); ++i) {
            const calibration_prompt& p = prompts_[i];
            std::vector<prior_prompt> branches;
            if (p.branches() == 2) branches.push_back(p.unconditional.prompt());
            branches.push_back(p.conditional.prompt());
            torch_generator random(p.options.seed);
            std::vector<float> latents(static_cast<std::size_t>(p.options.samples) * dim);
            random.randn(latents);
            const auto scale = p.steps.init_noise_sigma();
            std::vector<float> x(latents);
            for (float& v : x) v *= scale;
            std::size_t step = 0;
            const auto keep = [&] { // the model's inputs in the next step
                const step_coefficients& c = p.steps.steps()[step++];
                for (std::size_t s = 0; s < x.size(); s += dim)
                    for (const prior_prompt& b : branches)
                        if (choice.next()) {
                            std::vector<float> row(x.begin() + std::ptrdiff_t(s), x.begin() + std::ptrdiff_t(s + dim));
                            for (float& v : row) v *= c.input_scale;
                            inputs.add(b, row, c.timestep);
                        }
            };
            keep();
            const auto on_step = [&](const sampling_step& s) {
                bar.at(++done, texts_[i].first);
                x.assign(s.latents.begin(), s.latents.end());
                if (step < p.steps.steps().size()) keep();
                return interrupt_signal() == 0;
            };
            const auto made = model.sample(
                {.steps = &p.steps,
                 .prompts = branches,
                 .samples = p.options.samples,
                 .latents = latents,
                 .noise = [&random](std::span<float> z) { random.randn(z); },
                 .options = {.guidance_scale = p.options.guidance, .latents_for_callback = true, .on_step = on_step}});
            if (!made) return made.error();
        }
        return inputs;
    }

    pipeline_parts parts_;
    std::vector<std::pair<std::string, std::string>> texts_; ///< with the texts that they are guided away from
    std::vector<calibration_prompt> prompts_;
    index_t steps_ = 0, forwards_ = 0;
};

} // namespace

result<std::function<result<nibble_source>(const any_source&)>> open_calibration(const pack_options& options) {
    pipeline_options base;
    base.on = options.on;
    base.on.weights = "f32";
    base.model = options.model;
    base.mask_text_encoder = options.mask_text_encoder;
    auto parts = open_pipeline(base);
    if (!parts) return parts.error();
    const auto made = std::make_shared<calibration>(std::move(*parts));
    auto read = options.calibrate.empty() ? made->read_conditions(options, base) : made->read_prompts(options, base);
    if (!read) return read.error();
    return std::function<result<nibble_source>(const any_source&)>(
        [made, options](const any_source& weights) { return (*made)(weights, options); });
}

} // namespace apriori::program
