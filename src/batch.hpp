// SPDX-License-Identifier: Apache-2.0
// A file of work, one line of JSON each, whose results are written to a folder line by line; existing results are kept.
#pragma once

#include "apriori/io/json_fields.hpp"
#include "embeddings_file.hpp"
#include "run_report.hpp"

#include <any>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace apriori::program {

struct waiting_line;
/// What a command makes from a line.
struct batch_line {
    std::string label;                      ///< for messages
    int steps = 0;                          ///< steps of sampling, in all
    std::function<run_settings()> settings; ///< all that the file depends on; called once the models are loaded
    /// Writes the files of lines of one kind, of which this is the first, with write_each; errors name the line.
    std::function<result<void>(std::span<const waiting_line> lines, run_progress& progress)> make{};

    std::string kind{}; ///< lines of one kind may be made together; empty: each alone
    int rows = 1;       ///< rows of its batch
    std::any work{};    ///< what `make` of another line needs from this one
};
/// A line whose file has not been made yet.
struct waiting_line {
    batch_line line;
    std::filesystem::path file;
    run_settings settings;
    std::string where;

    failure at(const failure& f) const { return {f.code, where + ": " + f.message}; }
};
/// Calls write(i) for each line and then prints its file; an error names the line.
result<void> write_each(std::span<const waiting_line> lines, const std::function<result<void>(std::size_t i)>& write);
/// Whether a line of a kind and with so many rows is made together with `waiting` ones of its kind: up to 16
/// rows, since more gain little.
inline bool joins(std::size_t waiting, const std::string& their_kind, const std::string& kind, int rows) {
    return waiting > 0 && !kind.empty() && kind == their_kind && (static_cast<int>(waiting) + 1) * rows <= 16;
}

/// The line of a command that samples: its embeddings are reported under its label, and written.
batch_line sampled_line(std::string label, int steps, run_report& report, std::function<run_settings()> settings,
                        std::function<result<made_embeddings>(run_progress&)> draw);

/// Reads and checks a line's fields; messages begin with `where`, such as "prompts.jsonl:3".
using read_line = std::function<result<batch_line>(io::json_fields& fields, const std::string& where)>;

/// Fields under diffusers' names: a required one, an optional one, and those of all sampling commands.
void read_prompt(io::json_fields& fields, std::string& prompt);
void read_optional(io::json_fields& fields, const char* key, std::optional<std::string>& text);
result<void> read_sampling_fields(io::json_fields& fields, const std::string& where,
                                  const any_scheduler_config& scheduler, pipeline_options& options);

/// The fields of a line.
result<io::json_fields> parse_line(const std::string& text, const std::string& where);

/// Calls check(fields, where) for every line of a file. Returns the number of lines, or the first error.
result<int> for_each_line(const std::filesystem::path& path,
                          const std::function<result<void>(io::json_fields& fields, const std::string& where)>& check);

/// The lines that one of several processes with the same file makes: lines mine, mine + of, ...
struct line_share {
    int mine = 0, of = 1;
};

/// Makes out/<line>.safetensors for each line of `lines`: a file, a pipe, or "-", the standard input. `load` loads the
/// models after all lines of a file have been checked. An existing file is kept if it was made in the same way, and
/// otherwise is an error, so a stopped run can be continued.
result<exit_code> run_batch(const std::filesystem::path& lines, const std::filesystem::path& out, const read_line& read,
                            const std::function<result<void>()>& load, line_share share = {});

} // namespace apriori::program
