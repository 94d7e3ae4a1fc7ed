// SPDX-License-Identifier: Apache-2.0
#include "batch.hpp"

#include "apriori/io/safetensors.hpp"
#include "interrupt.hpp"
#include "line_reader.hpp"
#include "say.hpp"
#include "terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <random>

namespace apriori::program {

namespace {

result<batch_line> parse(const std::string& text, const std::string& where, const read_line& read) {
    auto fields = parse_line(text, where);
    if (!fields) return fields.error();
    return read(*fields, where);
}

/// The number of lines of a file, after checking all of them: the first wrong one is an error before any is made. 0 for
/// a stream, which is read as it arrives.
result<int> check_lines(const std::filesystem::path& path, const read_line& read) {
    if (is_read_once(path)) return 0;
    return for_each_line(path, [&](io::json_fields& fields, const std::string& where) -> result<void> {
        const auto line = read(fields, where);
        return line ? result<void>() : line.error();
    });
}

const std::string* value_of(const run_settings& settings, std::string_view key) {
    const auto at = std::find_if(settings.begin(), settings.end(), [&](const auto& s) { return s.first == key; });
    return at == settings.end() ? nullptr : &at->second;
}

/// Whether a file exists that was made with these settings; a drawn seed matches any.
/// invalid_argument if it was made with others.
result<bool> is_made(const std::filesystem::path& path, const run_settings& settings) {
    if (!is_there(path)) return false;
    const auto file = io::safetensors_source::open(path);
    if (!file) return file.error();
    const auto& there = file->metadata();
    for (const auto& [key, value] : settings) {
        if (key == "apriori") continue; // other versions give the same
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

/// Makes lines of one kind; `next` of `count` lines have been read, where 0 means an unknown number.
result<void> make_lines(std::span<const waiting_line> lines, int next, int count, bool shown) {
    const waiting_line& first = lines.front();
    run_progress progress(first.line.steps, 1, shown);
    const std::string label =
        lines.size() > 1 ? fmt::format("{} lines from {} on", lines.size(), first.where) : first.line.label;
    progress.name(count > 0 ? fmt::format("{} of {}: {}", next, count, label) : label);
    auto done = first.line.make(lines, progress);
    progress.clear();
    if (interrupt_signal() != 0)
        return failure{errc::cancelled,
                       fmt::format("interrupted before {} was done; the same command goes on there", first.where)};
    return done;
}

} // namespace

result<void> write_each(std::span<const waiting_line> lines, const std::function<result<void>(std::size_t i)>& write) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const waiting_line& w = lines[i];
        if (auto r = write(i); !r) return w.at(r.error());
        const std::string* drawn = value_of(w.settings, "seed_drawn") ? value_of(w.settings, "seed") : nullptr;
        say(stdout, "{}  {}{}\n", w.file.filename().string(), printable(w.line.label),
            drawn != nullptr ? ", seed " + *drawn : std::string());
        std::fflush(stdout);
    }
    return {};
}

batch_line sampled_line(std::string label, int steps, run_report& report, std::function<run_settings()> settings,
                        std::function<result<made_embeddings>(run_progress&)> draw) {
    return {label, steps, std::move(settings),
            [&report, draw = std::move(draw)](std::span<const waiting_line> lines, run_progress& progress) {
                return write_each(lines, [&](std::size_t i) -> result<void> {
                    const auto made = draw(progress);
                    if (!made) return made.error();
                    if (auto r = report.add(lines[i].line.label, made->image_embeds); !r) return r;
                    return write_embeddings(lines[i].file, *made, lines[i].settings);
                });
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

result<io::json_fields> parse_line(const std::string& text, const std::string& where) {
    auto fields = io::json_fields::parse(text, where);
    if (fields) fields->nulls_are_absent(); // as Python's None of an argument
    return fields;
}

result<int> for_each_line(const std::filesystem::path& path,
                          const std::function<result<void>(io::json_fields& fields, const std::string& where)>& check) {
    auto lines = line_reader::open(path);
    if (!lines) return lines.error();
    int count = 0;
    for (std::string text; lines->next(text); ++count) {
        auto fields = parse_line(text, lines->where());
        if (!fields) return fields.error();
        if (auto r = check(*fields, lines->where()); !r) return r.error();
    }
    if (auto r = lines->at_end(); !r) return r.error();
    if (count == 0) return failure{errc::invalid_argument, lines->name() + ": holds no lines"};
    return count;
}

result<exit_code> run_batch(const std::filesystem::path& path, const std::filesystem::path& out, const read_line& read,
                            const std::function<result<void>()>& load, line_share share) {
    if (share.of > 1 && is_read_once(path))
        return failure{
            errc::invalid_argument,
            fmt::format("--batch {}: of several processes one alone can read it; give a file", path.string())};
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
    int next = 0; // the number of lines read
    std::vector<waiting_line> waiting;
    const auto make_waiting = [&]() -> result<void> {
        if (waiting.empty()) return {};
        auto r = make_lines(waiting, next, *count, share.mine == 0);
        made += static_cast<int>(waiting.size());
        waiting.clear();
        return r;
    };
    for (std::string text; lines->next(text);) {
        if (next++ % share.of != share.mine) continue;
        auto line = parse(text, lines->where(), read);
        if (!line) return line.error();
        waiting_line w{std::move(*line), out / fmt::format("{:06}.safetensors", lines->number()), {}, lines->where()};
        w.settings = w.line.settings();
        const auto there = is_made(w.file, w.settings);
        if (!there) return there.error();
        if (*there) {
            ++kept;
            continue;
        }
        if (!waiting.empty() && !joins(waiting.size(), waiting.front().line.kind, w.line.kind, w.line.rows))
            if (auto r = make_waiting(); !r) return r.error();
        waiting.push_back(std::move(w));
        // the lines of a stream are made as they arrive
        if (*count == 0 || waiting.back().line.kind.empty())
            if (auto r = make_waiting(); !r) return r.error();
    }
    if (auto r = lines->at_end(); !r) return r.error();
    if (auto r = make_waiting(); !r) return r.error();
    if (next < *count) return failure{errc::io_error, lines->name() + ": has become shorter meanwhile"};
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    say(stdout, "{}{} made{} in {:.2f} s\n",
        share.of > 1 ? fmt::format("rank {} of {}: ", share.mine, share.of) : std::string(), counted(made, "file"),
        kept > 0 ? fmt::format(", {} there already,", kept) : std::string(), spent.count());
    return done;
}

} // namespace apriori::program
