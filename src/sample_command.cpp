// SPDX-License-Identifier: Apache-2.0
// apriori sample: texts as one batch, or conditions from a file, prompt by prompt. Latents and noise come from one
// generator, in the order in which diffusers draws them.
#include "batch.hpp"
#include "commands.hpp"
#include "conditions.hpp"
#include "draw_words.hpp"
#include "line_reader.hpp"
#include "output_file.hpp"
#include "ranks.hpp"
#include "say.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace apriori::program {

namespace {

/// The prompts of a file of conditions, read and checked.
struct read_conditions {
    std::vector<std::string> prompts;
    std::vector<condition> conditional; ///< of the prompts
    condition unconditional;            ///< needed with guidance

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
    if (auto r = run_report::check(options, in->prompts.size()); !r) return r.error();
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
    if (auto r = run_report::check(options, options.names.size()); !r) return r.error();
    if (auto r = load_prior(options, {}, parts); !r) return r.error();
    run_report report(options, parts);
    run_progress progress(static_cast<int>(parts.steps.steps().size()), 1);
    progress.name(counted(static_cast<std::int64_t>(options.names.size()), "prompt"));
    const auto made = draw_words(options, parts, options.names, negatives_of(options, options.names.size()),
                                 generators_of_parts({&options.seed, 1}), progress);
    if (!made) return made.error();
    if (auto r = report.add_each(options.names, made->image_embeds); !r) return r.error();
    return report.finish(options, *made, settings_of(options, parts, options.names), options.names.size(), "prompt");
}

/// A line of a batch: a prompt with its own generator.
struct prompt_line {
    pipeline_options options;
    std::string prompt;

    static result<prompt_line> read(io::json_fields& fields, const std::string& where, const sample_options& options,
                                    const pipeline_parts& parts) {
        prompt_line line{options, {}};
        read_prompt(fields, line.prompt);
        read_optional(fields, "negative_prompt", line.options.negative);
        if (auto r = read_sampling_fields(fields, where, parts.scheduler, line.options); !r) return r.error();
        return line;
    }
    /// Lines of one kind can be one batch: on cpu, where the numbers of a row do not depend on the others. Kandinsky's
    /// pipeline samples a negative prompt after the prompt, from the same generator.
    std::string kind(const pipeline_parts& parts) const {
        if (options.on.device != "cpu" || (options.negative && parts.is_kandinsky())) return {};
        return fmt::format("{} {} {} {}", options.steps, options.samples, options.guidance,
                           options.negative.has_value());
    }
    /// Samples lines of one kind as one batch; each draws from its own generator.
    static result<std::vector<made_embeddings>> draw(std::span<const prompt_line* const> lines,
                                                     const pipeline_parts& parts, run_progress& progress) {
        std::vector<std::string> prompts;
        std::vector<std::string_view> negative;
        std::vector<std::uint64_t> seeds;
        for (const prompt_line* l : lines) {
            prompts.push_back(l->prompt);
            seeds.push_back(l->options.seed);
            if (l->options.negative) negative.push_back(*l->options.negative);
        }
        auto made = draw_words(lines.front()->options, parts, prompts, negative, generators_of_parts(seeds), progress);
        if (!made) return made.error();
        std::vector<made_embeddings> each;
        const auto part_of = [n = lines.size()](const std::vector<float>& x, std::size_t i) {
            const std::size_t size = x.size() / n;
            return std::vector<float>(x.begin() + static_cast<std::ptrdiff_t>(i * size),
                                      x.begin() + static_cast<std::ptrdiff_t>((i + 1) * size));
        };
        for (std::size_t i = 0; i < lines.size(); ++i)
            each.push_back({made->width, part_of(made->image_embeds, i), part_of(made->negative_image_embeds, i)});
        return each;
    }
};

result<exit_code> sample_into_folder(const sample_options& options, pipeline_parts& parts, const ranks& all) {
    run_report report(options, parts, all.size() == 1);
    const auto read = [&](io::json_fields& fields, const std::string& where) -> result<batch_line> {
        auto line = prompt_line::read(fields, where, options, parts);
        if (!line) return line.error();
        const auto make = [&](std::span<const waiting_line> lines, run_progress& progress) -> result<void> {
            std::vector<const prompt_line*> prompts;
            for (const waiting_line& w : lines) prompts.push_back(std::any_cast<prompt_line>(&w.line.work));
            const auto made = prompt_line::draw(prompts, parts, progress);
            if (!made && lines.size() == 1) return lines.front().at(made.error());
            if (!made) { // one by one, so that the error names its line, and those before it are written
                for (const waiting_line& w : lines)
                    if (auto r = w.line.make(std::span(&w, 1), progress); !r) return r;
                return {};
            }
            return write_each(lines, [&](std::size_t i) -> result<void> {
                if (auto r = report.add(lines[i].line.label, (*made)[i].image_embeds); !r) return r;
                return write_embeddings(lines[i].file, (*made)[i], lines[i].settings);
            });
        };
        return batch_line{line->prompt,
                          line->options.steps,
                          [l = *line, &parts] { return settings_of(l.options, parts, std::span(&l.prompt, 1)); },
                          make,
                          line->kind(parts),
                          line->options.samples,
                          *line};
    };
    return run_batch(options.batch, options.out, read, [&] { return load_prior(options, {options.batch}, parts); },
                     {all.rank(), all.size()});
}

/// Lines that will be one batch, and their places in the file.
struct lines_together {
    std::vector<prompt_line> lines{};
    std::vector<std::string> where{};

    bool joins(const prompt_line& line, const pipeline_parts& parts) const {
        return program::joins(lines.size(), lines.front().kind(parts), line.kind(parts), line.options.samples);
    }
    /// Writes their rows, `each` numbers for each line, and removes the lines.
    result<void> draw(const pipeline_parts& parts, std::size_t each, std::span<float>::iterator out) {
        std::vector<const prompt_line*> prompts;
        for (const prompt_line& l : lines) prompts.push_back(&l);
        run_progress steps(lines.front().options.steps, 1, false);
        const auto made = prompt_line::draw(prompts, parts, steps);
        if (interrupt_signal() != 0)
            return failure{errc::cancelled, "interrupted; the same command with --resume goes on"};
        if (!made) {
            const auto at = [this](std::size_t i, const failure& f) -> result<void> {
                return failure{f.code, where[i] + ": " + f.message};
            };
            for (std::size_t i = 0; i < prompts.size() && prompts.size() > 1; ++i) // which of them it was
                if (const auto one = prompt_line::draw(std::span(&prompts[i], 1), parts, steps); !one)
                    return at(i, one.error());
            return at(0, made.error());
        }
        for (std::size_t i = 0; i < made->size(); ++i) {
            const std::vector<float>& embeds = (*made)[i].image_embeds;
            if (embeds.size() != each ||
                !std::all_of(embeds.begin(), embeds.end(), [](float x) { return std::isfinite(x); }))
                return failure{errc::invalid_argument, where[i] + ": the embedding is not finite: the weights or the "
                                                                  "guidance are out of range"};
            out = std::copy(embeds.begin(), embeds.end(), out);
        }
        lines.clear();
        where.clear();
        return {};
    }
};

/// Samples all lines as the rows of one array, the same number for each.
result<exit_code> sample_into_file(const sample_options& options, pipeline_parts& parts, const ranks& all) {
    int samples = 0;
    const auto count =
        for_each_line(options.batch, [&](io::json_fields& fields, const std::string& where) -> result<void> {
            const auto line = prompt_line::read(fields, where, options, parts);
            if (!line) return line.error();
            if (line->options.seed_drawn)
                return failure{errc::invalid_argument,
                               where + ": seed -1: rows of one .npy may be made again, so each line "
                                       "needs a seed of its own, or none"};
            if (samples == 0) samples = line->options.samples;
            if (line->options.samples != samples)
                return failure{
                    errc::invalid_argument,
                    fmt::format("{}: num_images_per_prompt {}: all lines of one .npy have as many rows, that of the "
                                "first {}; give --out a folder",
                                where, line->options.samples, samples)};
            return {};
        });
    if (!count) return count.error();
    const auto file = io::mapped_file::open(options.batch);
    if (!file) return file.error();
    if (auto r = check_outputs({{"--out", options.out}}, {options.batch, options.packed}); !r) return r.error();
    if (auto r = load_prior(options, {options.batch}, parts); !r) return r.error();

    io::ordered_rows rows{.out = options.out,
                          .items = *count,
                          .rows_of_item = samples,
                          .width = parts.config.embedding_dim,
                          .checkpoint = 16,
                          .resume = options.resume,
                          .how_to_resume = "--resume"};
    for (auto& [key, value] : settings_of(options, parts, {}))
        if (key != "prompts" && key != "apriori") rows.inputs.emplace_back(key, value);
    rows.inputs.emplace_back("batch", fmt::format("{} lines, hash {:016x}", *count, content_hash(file->bytes())));

    auto lines = line_reader::open(options.batch);
    if (!lines) return lines.error();
    const auto start = std::chrono::steady_clock::now();
    progress bar(static_cast<int>(*count), "prompts", all.rank() == 0);
    index_t next = 0; // the reader's next line, without counting empty ones
    const auto make = [&](index_t first, index_t n, std::span<float> out) -> result<void> {
        const std::size_t each = out.size() / static_cast<std::size_t>(n);
        std::string text;
        for (; next < first; ++next)
            if (!lines->next(text)) break;
        lines_together together;
        const auto draw = [&](index_t made) -> result<void> { // `made` of these lines, the last of them as one batch
            const auto label = together.lines.back().prompt;
            const auto from = made - std::ssize(together.lines);
            if (auto r = together.draw(parts, each, out.begin() + from * static_cast<index_t>(each)); !r) return r;
            bar.at(static_cast<int>(std::min(first + made * all.size(), index_t{*count})), label);
            return {};
        };
        for (index_t i = 0; i < n; ++i, ++next) {
            if (!lines->next(text)) return failure{errc::io_error, lines->name() + ": has become shorter meanwhile"};
            auto fields = parse_line(text, lines->where());
            if (!fields) return fields.error();
            auto line = prompt_line::read(*fields, lines->where(), options, parts);
            if (!line) return line.error();
            if (!together.lines.empty() && !together.joins(*line, parts))
                if (auto r = draw(i); !r) return r;
            together.lines.push_back(std::move(*line));
            together.where.push_back(lines->where());
        }
        if (auto r = draw(n); !r) return r;
        return {};
    };
    if (auto r = io::write_ordered_rows(all, rows, make); !r) return r.error();
    bar.clear();
    if (all.rank() == 0) {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        say(stdout, "{} of {} in {:.2f} s\nembeddings: {}\n", counted(samples, "sample"), counted(*count, "prompt"),
            spent.count(), options.out.string());
    }
    return done;
}

} // namespace

result<exit_code> run_sample(const sample_options& options) {
    auto parts = open_pipeline(options);
    if (!parts) return parts.error();
    if (!options.conditions.empty()) return sample_conditions(options, *parts);
    if (auto r = open_words(options, *parts); !r) return r.error();
    return sample_words(options, *parts);
}

result<exit_code> run_sample_batch(const sample_options& options, const ranks& all) {
    auto parts = open_pipeline(options);
    if (!parts) return parts.error();
    if (auto r = open_words(options, *parts); !r) return r.error();
    return options.into_one_file() ? sample_into_file(options, *parts, all) : sample_into_folder(options, *parts, all);
}

} // namespace apriori::program
