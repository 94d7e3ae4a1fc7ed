// SPDX-License-Identifier: Apache-2.0
// What a sampling command shows while it runs and when it is done.
#pragma once

#include "apriori/pipelines/sampler.hpp"
#include "contact_sheet.hpp"
#include "embeddings_file.hpp"
#include "progress.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace apriori::program {

/// A bar over so many runs of the sampler, each of `steps` steps, and the user's wish to stop.
class run_progress {
public:
    run_progress(int steps, int runs) : steps_(steps), bar_(steps * runs) {}

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

/// Prints prompts and pictures as they are made, and keeps what the PNG and the last lines need.
class run_report {
public:
    explicit run_report(const pipeline_parts& parts) : parts_(parts) {}

    /// The samples [rows, width] of a prompt. invalid_argument where one of them is not a finite number. Counts how many lie
    /// nearest to the digit that the prompt names, where the model has one.
    result<void> add(const std::string& prompt, std::span<const float> embeds);
    /// How many of the samples of the last prompt that was added, if they were counted.
    std::optional<int> hits() const noexcept { return last_hits_; }

    /// Writes what the options ask for, and says so.
    result<void> finish(const pipeline_options& options, const made_embeddings& made, const run_settings& settings,
                        const std::string& what, double seconds) const;

private:
    const pipeline_parts& parts_;
    contact_sheet sheet_;
    std::optional<int> last_hits_;
    index_t hits_ = 0, of_ = 0;
};

/// "3 samples", "1 prompt".
std::string counted(std::int64_t count, std::string_view what);

/// Says on stderr how many tokens of each text did not fit.
void report_cut(std::span<const std::string> texts, std::span<const index_t> cut, index_t tokens);

} // namespace apriori::program
