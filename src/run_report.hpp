// SPDX-License-Identifier: Apache-2.0
// The output of a sampling command while it runs and at its end.
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

/// A progress bar over `runs` runs of the sampler, each of `steps` steps; stops them if the
/// user interrupts the program.
class run_progress {
public:
    run_progress(int steps, int runs, bool shown = true) : steps_(steps), bar_(steps * runs, "steps", shown) {}

    /// Names the following runs.
    void name(std::string_view what) { what_ = what; }
    /// The callback after each step; returns false once the program is interrupted.
    std::function<bool(const sampling_step&)> on_step();
    void clear() { bar_.clear(); }

private:
    int steps_, runs_ = 0;
    std::string what_;
    progress bar_;
};

/// The result of a call of the sampler through a pipeline: removes its bar, and reports an interruption as such.
template <class Made>
result<void> check_made(const result<Made>& made, run_progress& progress) {
    progress.clear();
    if (interrupt_signal() != 0) return interrupt_failure();
    return made ? result<void>() : made.error();
}

/// Prints prompts and pictures as they are made, and keeps what the PNG and the last lines need.
class run_report {
public:
    /// Prints no pictures unless `shown`: those of several processes would be mixed up.
    run_report(const pipeline_options& options, const pipeline_parts& parts, bool shown = true)
        : parts_(parts), has_sheet_(!options.png.empty()), shown_(shown) {}

    /// invalid_argument if the options' PNG has no room for so many prompts; to be asked before anything is sampled.
    static result<void> check(const pipeline_options& options, std::size_t prompts) {
        return options.png.empty() ? result<void>() : contact_sheet::check(prompts, options.samples);
    }
    /// Adds the samples [rows, width] of a prompt. invalid_argument if one of them is not finite. If the model has
    /// centroids, counts the samples that are nearest to the digit that the prompt names.
    result<void> add(const std::string& prompt, std::span<const float> embeds);
    /// The same for several prompts, one after the other.
    result<void> add_each(std::span<const std::string> prompts, std::span<const float> embeds);

    /// Writes what the options ask for, and prints it with `count` prompts, texts or mixtures, and
    /// the time since the report began.
    result<exit_code> finish(const pipeline_options& options, const made_embeddings& made, const run_settings& settings,
                             std::size_t count, std::string_view what) const;

private:
    const pipeline_parts& parts_;
    bool has_sheet_; ///< otherwise no pictures are kept: a batch may have any length
    bool shown_;
    contact_sheet sheet_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    index_t hits_ = 0, of_ = 0;
};

/// A count as text: "3 samples", "1 prompt".
std::string counted(std::int64_t count, std::string_view what);

/// Reports on stderr how many tokens of each text did not fit.
void report_cut(std::span<const std::string> texts, std::span<const index_t> cut, index_t tokens);

} // namespace apriori::program
