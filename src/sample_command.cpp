// SPDX-License-Identifier: Apache-2.0
// apriori sample: words as one batch, or conditions from a file, prompt by prompt; latents and noise from one generator in
// the order in which diffusers draws them.
#include "batch.hpp"
#include "commands.hpp"
#include "conditions.hpp"
#include "draw_words.hpp"

namespace apriori::program {

namespace {

/// The prompts of a file of conditions, read and checked.
struct read_conditions {
    std::vector<std::string> prompts;
    std::vector<condition> conditional; ///< of the prompts
    condition unconditional;            ///< where guidance needs it

    static result<read_conditions> open(const sample_options& options, const PriorConfig& config) {
        auto file = conditions_file::open(options.conditions);
        if (!file) return file.error();
        read_conditions all;
        all.prompts = options.names;
        if (all.prompts.empty())
            for (const auto& name : file->names())
                if (name != conditions_file::unconditional) all.prompts.push_back(name);
        if (all.prompts.empty())
            return failure{errc::not_found, options.conditions.string() + ": holds the unconditional condition alone"};
        for (const auto& prompt : all.prompts) {
            auto c = file->read(prompt, config);
            if (!c) return c.error();
            all.conditional.push_back(std::move(*c));
        }
        if (!uses_guidance(options.guidance)) return all;
        auto c = file->read(conditions_file::unconditional, config);
        if (!c) return failure{c.error().code, c.error().message + " (--guidance above 1 needs it)"};
        all.unconditional = std::move(*c);
        return all;
    }
};

result<exit_code> sample_conditions(const sample_options& options, pipeline_parts& parts) {
    const auto in = read_conditions::open(options, parts.config);
    if (!in) return in.error();
    if (auto r = load_prior(options, {options.conditions}, parts); !r) return r.error();
    run_report report(options, parts);
    const auto dim = static_cast<std::size_t>(parts.config.embedding_dim);
    torch_generator random(options.seed);
    std::vector<float> latents(static_cast<std::size_t>(options.samples) * dim);
    made_embeddings made{parts.config.embedding_dim};
    run_progress progress(static_cast<int>(parts.steps.steps().size()), static_cast<int>(in->prompts.size()));
    for (std::size_t p = 0; p < in->prompts.size(); ++p) {
        std::vector<prior_prompt> branches;
        if (uses_guidance(options.guidance)) branches.push_back(in->unconditional.prompt());
        branches.push_back(in->conditional[p].prompt());
        random.randn(latents);
        progress.name(in->prompts[p]);
        const auto embeds =
            parts.prior->sample({.steps = &parts.steps,
                                 .prompts = branches,
                                 .samples = options.samples,
                                 .latents = latents,
                                 .noise = [&random](std::span<float> z) { random.randn(z); },
                                 .options = {.guidance_scale = options.guidance, .on_step = progress.on_step()}});
        if (auto r = check_made(embeds, progress); !r) return r.error();
        if (auto r = report.add(in->prompts[p], *embeds); !r) return r.error();
        made.image_embeds.insert(made.image_embeds.end(), embeds->begin(), embeds->end());
    }
    return report.finish(options, made, settings_of(options, parts, in->prompts), in->prompts.size(), "prompt");
}

result<exit_code> sample_words(const sample_options& options, pipeline_parts& parts) {
    if (auto r = load_prior(options, {}, parts); !r) return r.error();
    run_report report(options, parts);
    torch_generator random(options.seed);
    run_progress progress(static_cast<int>(parts.steps.steps().size()), 1);
    progress.name(counted(static_cast<std::int64_t>(options.names.size()), "prompt"));
    const auto made = draw_words(options, parts, options.names, random, progress);
    if (!made) return made.error();
    if (auto r = report.add_each(options.names, made->image_embeds); !r) return r.error();
    return report.finish(options, *made, settings_of(options, parts, options.names), options.names.size(), "prompt");
}

/// A line of a batch is a prompt with a generator of its own.
result<exit_code> sample_batch(const sample_options& options, pipeline_parts& parts) {
    run_report report(options, parts);
    const auto read = [&](io::json_fields& fields, const std::string& where) -> result<batch_line> {
        pipeline_options line = options;
        std::string prompt;
        read_prompt(fields, prompt);
        read_optional(fields, "negative_prompt", line.negative);
        if (auto r = read_sampling_fields(fields, where, parts.scheduler, line); !r) return r.error();
        const std::vector<std::string> prompts{prompt};
        return sampled_line(
            prompt, line.steps, report, [=, &parts] { return settings_of(line, parts, prompts); },
            [=, &parts](run_progress& progress) {
                torch_generator random(line.seed);
                return draw_words(line, parts, prompts, random, progress);
            });
    };
    return run_batch(options.batch, options.out, read, [&] { return load_prior(options, {options.batch}, parts); });
}

} // namespace

result<exit_code> run_sample(const sample_options& options) {
    auto parts = open_pipeline(options);
    if (!parts) return parts.error();
    if (!options.conditions.empty()) return sample_conditions(options, *parts);
    if (auto r = open_words(options, *parts); !r) return r.error();
    return options.batch.empty() ? sample_words(options, *parts) : sample_batch(options, *parts);
}

} // namespace apriori::program
