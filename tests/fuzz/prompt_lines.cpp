// SPDX-License-Identifier: Apache-2.0
// A file of prompts for --batch, as the program reads it before it loads a model. Lines that are accepted have a number
// of steps that their scheduler allows.
#include "batch.hpp"
#include "fuzzing.hpp"
#include "terminal.hpp"

#include <cmath>

using namespace apriori;
using namespace apriori::program;
using namespace fuzzing;

// The functions that sample lines and report on them are never called, and the models are not linked.
namespace apriori::program {
progress::progress(int total, std::string_view unit, bool shown)
    : total_(total), unit_(unit), shown_(shown), terminal_(false) {}
void progress::clear() {}
int interrupt_signal() noexcept { return 0; }
std::string printable(std::string_view text) { return std::string(text); }
std::string counted(std::int64_t, std::string_view what) { return std::string(what); }
result<void> run_report::add(const std::string&, std::span<const float>) { return {}; }
result<void> write_embeddings(const std::filesystem::path&, const made_embeddings&, const run_settings&) { return {}; }
} // namespace apriori::program

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const memory_file file;
    static const memory_folder folder;
    const any_scheduler_config scheduler = UnCLIPSchedulerConfig{.num_train_timesteps = 100};
    const auto read = [&](io::json_fields& fields, const std::string& where) -> result<batch_line> {
        pipeline_options line;
        std::string prompt;
        read_prompt(fields, prompt);
        read_optional(fields, "negative_prompt", line.negative);
        if (auto r = read_sampling_fields(fields, where, scheduler, line); !r) return r.error();
        require(io::valid_utf8(prompt) && (!line.negative || io::valid_utf8(*line.negative)), "a prompt is UTF-8");
        require(line.samples >= 1 && line.samples <= 65536 && line.steps >= 1 && line.steps <= 100,
                "numbers are in range");
        require(std::isfinite(line.guidance), "the guidance scale is finite");
        return batch_line{prompt, line.steps, {}, {}};
    };
    const auto no_model = [] { return result<void>(failure{errc::cancelled, "all lines are right"}); };
    const auto done = run_batch(file.write(text(data, size)), folder.path, read, no_model);
    require(!done, "no line is made");
    return refused(done.error());
}
