// SPDX-License-Identifier: Apache-2.0
#include "batch.hpp"

#include "apriori/io/json_fields.hpp"
#include "apriori/io/safetensors.hpp"
#include "interrupt.hpp"
#include "terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <limits>

namespace apriori::program {

namespace {

/// A line: its prompt, and the options with what the line says otherwise.
struct batch_line {
    std::string prompt;
    pipeline_options options;
};

/// The line in `text`; `where`, "prompts.jsonl:3", opens the messages. Fields have diffusers' names.
result<batch_line> parse_line(std::string_view text, const std::string& where, const pipeline_options& defaults,
                              const any_scheduler_config& scheduler) {
    auto fields = io::json_fields::parse(text, where);
    if (!fields) return fields.error();
    batch_line line{{}, defaults};
    if (fields->next("prompt") == nullptr && fields->finish()) fields->refuse("has no field 'prompt'");
    fields->text("prompt", line.prompt);
    if (std::string negative; fields->next("negative_prompt") != nullptr) {
        fields->text("negative_prompt", negative);
        line.options.negative = negative;
    }
    fields->integer("num_images_per_prompt", line.options.samples, 1, 65536);
    fields->integer("num_inference_steps", line.options.steps, 1, 100000);
    constexpr float most = std::numeric_limits<float>::max();
    fields->number("guidance_scale", line.options.guidance, -most, most);
    if (const io::json* seed = fields->next("seed"); seed != nullptr) {
        if (seed->is_number_unsigned())
            line.options.seed = seed->get<std::uint64_t>();
        else
            fields->refuse("seed", *seed, "a whole number from 0 to 18446744073709551615");
    }
    if (auto r = fields->finish("a line"); !r) return r.error();
    schedule steps;
    if (const status s = plan_schedule(scheduler, {.num_inference_steps = line.options.steps}, steps); !s.ok())
        return failure{s.code,
                       fmt::format("{}: num_inference_steps {}: {}", where, line.options.steps, to_failure(s).message)};
    return line;
}

/// Lines of a stream or file, with their numbers from 1; empty ones are passed over.
class line_reader {
public:
    static result<line_reader> open(const std::filesystem::path& path) {
        line_reader r;
        r.name_ = path == "-" ? "standard input" : path.string();
        if (path == "-") return r;
        if (is_folder(path)) return failure{errc::io_error, r.name_ + ": is a folder; a file of prompts is needed"};
        r.file_.open(path);
        if (!r.file_) return failure{errc::not_found, r.name_ + ": cannot be read"};
        r.is_file_ = true;
        return r;
    }
    bool is_file() const noexcept { return is_file_; }
    int number() const noexcept { return number_; }
    std::string where() const { return fmt::format("{}:{}", name_, number_); }
    const std::string& name() const noexcept { return name_; }

    bool next(std::string& line) {
        std::istream& in = is_file_ ? file_ : std::cin;
        while (std::getline(in, line)) {
            ++number_;
            if (line.find_first_not_of(" \t\r") != std::string::npos) return true;
        }
        return false;
    }

private:
    std::string name_;
    std::ifstream file_;
    bool is_file_ = false;
    int number_ = 0;
};

/// How many lines a file has; the first that is wrong is refused before any is sampled. A stream is read as it comes: 0.
result<int> check_lines(const sample_options& options, const any_scheduler_config& scheduler) {
    auto lines = line_reader::open(options.batch);
    if (!lines) return lines.error();
    if (!lines->is_file()) return 0;
    int count = 0;
    for (std::string text; lines->next(text); ++count)
        if (auto line = parse_line(text, lines->where(), options, scheduler); !line) return line.error();
    if (count == 0) return failure{errc::invalid_argument, lines->name() + ": holds no prompts"};
    return count;
}

/// Whether a file is there that holds what these settings give. invalid_argument where it holds something else.
result<bool> is_made(const std::filesystem::path& path, const run_settings& settings) {
    if (!is_there(path)) return false;
    const auto file = io::safetensors_source::open(path);
    if (!file) return file.error();
    const auto& there = file->metadata();
    for (const auto& [key, value] : settings) {
        if (key == "apriori") continue; // another version gives the same
        const auto at = std::find_if(there.begin(), there.end(), [&k = key](const auto& m) { return m.first == k; });
        const std::string was = at == there.end() ? "none" : at->second;
        if (was != value)
            return failure{errc::invalid_argument,
                           fmt::format("{}: was made by another run: its {} is {}, that of this run {}; give another "
                                       "--out, or remove the file",
                                       path.string(), key, io::quote(was), io::quote(value))};
    }
    return true;
}

} // namespace

result<exit_code> run_batch(const sample_options& options, pipeline_parts& parts) {
    const auto count = check_lines(options, parts.scheduler);
    if (!count) return count.error();
    std::error_code error;
    std::filesystem::create_directories(options.out, error);
    if (!is_folder(options.out))
        return failure{errc::io_error,
                       fmt::format("--out {}: is no folder, and cannot be made one; --batch writes a file "
                                   "for each line",
                                   options.out.string())};
    pipeline_options inputs = options;
    inputs.out.clear();
    if (auto r = load_prior(inputs, {}, parts); !r) return r.error();

    auto lines = line_reader::open(options.batch);
    if (!lines) return lines.error();
    const auto start = std::chrono::steady_clock::now();
    run_report report(parts);
    int made = 0, kept = 0;
    for (std::string text; lines->next(text);) {
        auto line = parse_line(text, lines->where(), options, parts.scheduler);
        if (!line) return line.error();
        const auto path = options.out / fmt::format("{:06}.safetensors", lines->number());
        const std::vector<std::string> prompt{line->prompt};
        const run_settings settings = settings_of(line->options, parts, prompt);
        const auto there = is_made(path, settings);
        if (!there) return there.error();
        if (*there) {
            ++kept;
            continue;
        }
        run_progress progress(line->options.steps, 1);
        progress.name(*count > 0 ? fmt::format("{} of {}: {}", made + kept + 1, *count, line->prompt) : line->prompt);
        torch_generator random(line->options.seed);
        auto drawn = draw_words(line->options, parts, prompt, random, progress);
        progress.clear();
        if (interrupt_signal() != 0)
            return failure{errc::cancelled,
                           fmt::format("interrupted before {}; the same command goes on there", lines->where())};
        if (!drawn) return failure{drawn.error().code, lines->where() + ": " + drawn.error().message};
        if (auto r = report.add(line->prompt, drawn->image_embeds); !r) return r.error();
        if (auto r = write_embeddings(path, *drawn, settings); !r) return r.error();
        if (!parts.pictures) fmt::print("{}  {}\n", path.filename().string(), printable(line->prompt));
        std::fflush(stdout);
        ++made;
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (auto r = report.finish({}, {}, {},
                               fmt::format("{} sampled{}", counted(made, "prompt"),
                                           kept > 0 ? fmt::format(", {} there already,", kept) : std::string()),
                               spent.count());
        !r)
        return r.error();
    return done;
}

} // namespace apriori::program
