// SPDX-License-Identifier: Apache-2.0
// A file of work, a line of JSON each, made line by line into a folder: what is there already is not made again.
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
/// What a command makes of a line.
struct batch_line {
    std::string label;                      ///< for people
    int steps = 0;                          ///< that it samples, in all
    std::function<run_settings()> settings; ///< all that the file depends on; called once the models are there
    /// Writes the files of lines of one kind, this one the first of them, by write_each; errors name the line.
    std::function<result<void>(std::span<const waiting_line> lines, run_progress& progress)> make{};

    std::string kind{}; ///< lines of one kind may be made together; empty: each alone
    int rows = 1;       ///< of the batch that they are
    std::any work{};    ///< what `make` of another line needs of this one
};
/// A line whose file is still to be made.
struct waiting_line {
    batch_line line;
    std::filesystem::path file;
    run_settings settings;
    std::string where;

    failure at(const failure& f) const { return {f.code, where + ": " + f.message}; }
};
/// write(i) of each line, whose file is then named; an error names the line.
result<void> write_each(std::span<const waiting_line> lines, const std::function<result<void>(std::size_t i)>& write);
/// Whether a line of a kind and of so many rows is made with `waiting` ones of their kind: of 16 rows at most, for more gain little.
inline bool joins(std::size_t waiting, const std::string& their_kind, const std::string& kind, int rows) {
    return waiting > 0 && !kind.empty() && kind == their_kind && (static_cast<int>(waiting) + 1) * rows <= 16;
}

/// The line of a command that samples: its embeddings are reported under its label, and written.
batch_line sampled_line(std::string label, int steps, run_report& report, std::function<run_settings()> settings,
                        std::function<result<made_embeddings>(run_progress&)> draw);

/// Reads a line's fields, and checks them; `where`, "prompts.jsonl:3", opens messages.
using read_line = std::function<result<batch_line>(io::json_fields& fields, const std::string& where)>;

/// Fields by diffusers' names: that which must be there, such as may be, and those that all sampling commands have.
void read_prompt(io::json_fields& fields, std::string& prompt);
void read_optional(io::json_fields& fields, const char* key, std::optional<std::string>& text);
result<void> read_sampling_fields(io::json_fields& fields, const std::string& where,
                                  const any_scheduler_config& scheduler, pipeline_options& options);

/// The fields of a line.
result<io::json_fields> parse_line(const std::string& text, const std::string& where);

/// `check(fields, where)` of every line of a file: how many there are, or the first error.
result<int> for_each_line(const std::filesystem::path& path,
                          const std::function<result<void>(io::json_fields& fields, const std::string& where)>& check);

/// The lines that a process makes, of several that have the same file: line `mine`, mine + of, ...
struct line_share {
    int mine = 0, of = 1;
};

/// Makes out/<line>.safetensors of each line of `lines`, "-" the standard input; `load` gets the models ready once all lines of
/// a file have been checked. A file that is there is kept if it was made in the same way, and refused if not; so a run that
/// was stopped goes on where it was.
result<exit_code> run_batch(const std::filesystem::path& lines, const std::filesystem::path& out, const read_line& read,
                            const std::function<result<void>()>& load, line_share share = {});

} // namespace apriori::program
