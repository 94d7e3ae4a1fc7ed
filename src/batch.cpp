// SPDX-License-Identifier: Apache-2.0
#include "batch.hpp"

#include "apriori/io/safetensors.hpp"
#include "interrupt.hpp"
#include "terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <limits>
#include <random>

namespace apriori::program {

namespace {

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
        while (std::getline(in, line) && !broke_off()) {
            ++number_;
            if (line.find_first_not_of(" \t\r") != std::string::npos) return true;
        }
        return false;
    }
    /// Once there is no next line: that the last one was the input's last, too.
    result<void> at_end() const {
        if (!broke_off()) return {};
        return failure{errc::io_error,
                       fmt::format("{}: cannot be read to its end: line {} is the last that was read", name_, number_)};
    }

private:
    /// A read failed. To a stream over C's standard input that looks like the end.
    bool broke_off() const { return is_file_ ? file_.bad() : std::cin.bad() || std::ferror(stdin) != 0; }

    std::string name_;
    std::ifstream file_;
    bool is_file_ = false;
    int number_ = 0;
};

result<batch_line> parse(const std::string& text, const std::string& where, const read_line& read) {
    auto fields = io::json_fields::parse(text, where);
    if (!fields) return fields.error();
    fields->nulls_are_absent(); // as Python's None of an argument
    return read(*fields, where);
}

/// How many lines a file has; the first that is wrong is refused before any is made. A stream is read as it comes: 0.
result<int> check_lines(const std::filesystem::path& path, const read_line& read) {
    auto lines = line_reader::open(path);
    if (!lines) return lines.error();
    if (!lines->is_file()) return 0;
    int count = 0;
    for (std::string text; lines->next(text); ++count)
        if (auto line = parse(text, lines->where(), read); !line) return line.error();
    if (auto r = lines->at_end(); !r) return r.error();
    if (count == 0) return failure{errc::invalid_argument, lines->name() + ": holds no lines"};
    return count;
}

const std::string* value_of(const run_settings& settings, std::string_view key) {
    const auto at = std::find_if(settings.begin(), settings.end(), [&](const auto& s) { return s.first == key; });
    return at == settings.end() ? nullptr : &at->second;
}

/// Whether a file is there that holds what these settings give: of a drawn seed, with any. invalid_argument where it holds
/// something else.
result<bool> is_made(const std::filesystem::path& path, const run_settings& settings) {
    if (!is_there(path)) return false;
    const auto file = io::safetensors_source::open(path);
    if (!file) return file.error();
    const auto& there = file->metadata();
    for (const auto& [key, value] : settings) {
        if (key == "apriori") continue; // another version gives the same
        if (key == "seed" && value_of(settings, "seed_drawn") != nullptr) continue;
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

batch_line sampled_line(std::string label, int steps, run_report& report, std::function<run_settings()> settings,
                        std::function<result<made_embeddings>(run_progress&)> draw) {
    return {label, steps, std::move(settings),
            [label, &report, draw = std::move(draw)](const std::filesystem::path& file, const run_settings& how,
                                                     run_progress& progress) -> result<void> {
                const auto made = draw(progress);
                if (!made) return made.error();
                if (auto r = report.add(label, made->image_embeds); !r) return r;
                return write_embeddings(file, *made, how);
            }};
}

void read_prompt(io::json_fields& fields, std::string& prompt) {
    if (fields.finish() && fields.next("prompt") == nullptr) fields.refuse("has no field 'prompt'");
    fields.text("prompt", prompt);
}

void read_optional(io::json_fields& fields, const char* key, std::optional<std::string>& text) {
    std::string given;
    if (fields.next(key) == nullptr) return;
    fields.text(key, given);
    text = given;
}

result<void> read_sampling_fields(io::json_fields& fields, const std::string& where,
                                  const any_scheduler_config& scheduler, pipeline_options& options) {
    fields.integer("num_images_per_prompt", options.samples, 1, 65536);
    fields.integer("num_inference_steps", options.steps, 1, 100000);
    constexpr float most = std::numeric_limits<float>::max();
    fields.number("guidance_scale", options.guidance, -most, most);
    if (const io::json* seed = fields.next("seed"); seed != nullptr) {
        options.seed_drawn = seed->text == "-1";
        if (options.seed_drawn)
            options.seed = std::random_device{}();
        else if (const auto n = seed->whole())
            options.seed = *n;
        else
            fields.refuse("seed", *seed, "a whole number from 0 to 18446744073709551615, or -1 for one that is drawn");
    }
    if (auto r = fields.finish("a line"); !r) return r.error();
    schedule steps;
    if (const status s = plan_schedule(scheduler, {.num_inference_steps = options.steps}, steps); !s.ok())
        return failure{s.code,
                       fmt::format("{}: num_inference_steps {}: {}", where, options.steps, to_failure(s).message)};
    return {};
}

result<exit_code> run_batch(const std::filesystem::path& path, const std::filesystem::path& out, const read_line& read,
                            const std::function<result<void>()>& load) {
    const auto count = check_lines(path, read);
    if (!count) return count.error();
    std::error_code error;
    std::filesystem::create_directories(out, error);
    if (!is_folder(out))
        return failure{
            errc::io_error,
            fmt::format("--out {}: is no folder, and cannot be made one; --batch writes a file for each line",
                        out.string())};
    if (auto r = load(); !r) return r.error();

    auto lines = line_reader::open(path);
    if (!lines) return lines.error();
    const auto start = std::chrono::steady_clock::now();
    int made = 0, kept = 0;
    for (std::string text; lines->next(text);) {
        const auto line = parse(text, lines->where(), read);
        if (!line) return line.error();
        const auto file = out / fmt::format("{:06}.safetensors", lines->number());
        const run_settings settings = line->settings();
        const auto there = is_made(file, settings);
        if (!there) return there.error();
        if (*there) {
            ++kept;
            continue;
        }
        run_progress progress(line->steps, 1);
        progress.name(*count > 0 ? fmt::format("{} of {}: {}", made + kept + 1, *count, line->label) : line->label);
        auto done_line = line->make(file, settings, progress);
        progress.clear();
        if (interrupt_signal() != 0)
            return failure{
                errc::cancelled,
                fmt::format("interrupted before {} was done; the same command goes on there", lines->where())};
        if (!done_line) return failure{done_line.error().code, lines->where() + ": " + done_line.error().message};
        const bool drawn = value_of(settings, "seed_drawn") != nullptr;
        fmt::print("{}  {}{}\n", file.filename().string(), printable(line->label),
                   drawn ? ", seed " + *value_of(settings, "seed") : std::string());
        std::fflush(stdout);
        ++made;
    }
    if (auto r = lines->at_end(); !r) return r.error();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    fmt::print("{} made{} in {:.2f} s\n", counted(made, "file"),
               kept > 0 ? fmt::format(", {} there already,", kept) : std::string(), spent.count());
    return done;
}

} // namespace apriori::program
