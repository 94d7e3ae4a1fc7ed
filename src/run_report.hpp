// SPDX-License-Identifier: Apache-2.0
// What a sampling command shows while it runs and when it is done.
#pragma once

#include "apriori/pipelines/sampler.hpp"
#include "contact_sheet.hpp"
#include "embeddings_file.hpp"
#include "interrupt.hpp"
#include "progress.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace apriori::program {

/// A bar over so many runs of the sampler, each of `steps` steps, and the user's wish to stop.
class run_progress {
public:
    run_progress(int steps, int runs, bool shown = true) : steps_(steps), bar_(steps * runs, "steps", shown) {}

    /// For the runs to come: what they are of.
    void name(std::string_view what) { what_ = what; }
    /// To be called after each step; false once the program is interrupted.
    std::function<bool(const sampling_step&)> on_step();
    void clear() { bar_.clear(); }

private:
    int steps_, runs_ = 0;
    std::string what_;
    progress bar_;
};

/// What a call of the sampler through a pipeline came to: its bar is taken away, and an interruption is told as such.
template <class Made>
result<void> check_made(const result<Made>& made, run_progress& progress) {
    progress.clear();
    if (interrupt_signal() != 0) return interrupt_failure();
    return made ? result<void>() : made.error();
}

/// Prints prompts and pictures as they are made, and keeps what the PNG and the last lines need.
class run_report {
public:
    /// Not `shown` it prints no pictures: those of several processes would mix.
    run_report(const pipeline_options& options, const pipeline_parts& parts, bool shown = true)
        : parts_(parts), has_sheet_(!options.png.empty()), shown_(shown) {}

    /// The samples [rows, width] of a prompt. invalid_argument where one of them is not a finite number. Counts how many lie
    /// nearest to the digit that the prompt names, where the model has one.
    result<void> add(const std::string& prompt, std::span<const float> embeds);
    /// The same of several prompts in sequence.
    result<void> add_each(std::span<const std::string> prompts, std::span<const float> embeds);

    /// Writes what the options ask for, and says so, of `count` prompts, texts, mixtures, and the time since the report began.
    result<exit_code> finish(const pipeline_options& options, const made_embeddings& made, const run_settings& settings,
                             std::size_t count, std::string_view what) const;

private:
    const pipeline_parts& parts_;
    bool has_sheet_; ///< else no pictures are kept: a batch may be of any length
    bool shown_;
    contact_sheet sheet_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    index_t hits_ = 0, of_ = 0;
};

/// "3 samples", "1 prompt".
std::string counted(std::int64_t count, std::string_view what);

/// Says on stderr how many tokens of each text did not fit.
void report_cut(std::span<const std::string> texts, std::span<const index_t> cut, index_t tokens);

} // namespace apriori::program
