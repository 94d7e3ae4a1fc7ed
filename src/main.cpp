// SPDX-License-Identifier: Apache-2.0
// apriori: unCLIP priors from the command line.
#include "apriori/core/report.hpp"
#include "bus_error.hpp"
#include "command_line.hpp"
#include "interrupt.hpp"
#include "process.hpp"
#include "ranks.hpp"
#include "say.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <string_view>

namespace {

using namespace apriori;
using namespace apriori::program;

result<exit_code> run(const nothing&) { return done; }
int give_up(const failure& f) {
    say(stderr, "apriori: {}\n", on_one_line(f.message));
    return interrupt_signal() != 0 ? 128 + interrupt_signal() : exit_code_of(f);
}

result<exit_code> run(const sample_options& o) {
    if (o.batch.empty()) return run_sample(o);
    return on_all_ranks([&](const ranks& all) { return run_sample_batch(o, all); }, give_up);
}
result<exit_code> run(const interpolate_options& o) { return run_interpolate(o); }
result<exit_code> run(const emb2emb_options& o) { return run_emb2emb(o); }
result<exit_code> run(const encode_options& o) { return run_encode(o); }
result<exit_code> run(const verify_options& o) { return run_verify(o); }
result<exit_code> run(const info_options& o) { return run_info(o); }
result<exit_code> run(const pack_options& o) { return run_pack(o); }
result<exit_code> run(const bench_options& o) { return run_bench(o); }

/// An error of parse_command_line, which is reported once if several processes have the same command line.
result<exit_code> refuse(const failure& f, std::span<char* const> arguments) {
    const bool batch =
        std::any_of(arguments.begin(), arguments.end(), [](std::string_view a) { return a.starts_with("--batch"); });
    if (!batch || std::string_view(arguments[1]) != "sample") return f;
    return on_all_ranks([&](const ranks&) -> result<exit_code> { return f; }, give_up);
}

} // namespace

int main(int argc, char** argv) {
    note_start();
    fill_closed_streams();
    catch_interrupts();
    catch_bus_errors();
    try {
        const auto command = parse_command_line(argc, argv);
        const auto code = command ? std::visit([](const auto& options) { return run(options); }, *command)
                                  : refuse(command.error(), std::span(argv, static_cast<std::size_t>(argc)));
        if (!code) return give_up(code.error());
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
            return give_up({errc::io_error, "standard output cannot be written"});
        return *code;
    } catch (const std::bad_alloc&) {
        return give_up({errc::device_error, "no memory; ask for fewer --samples"});
    } catch (const std::exception& e) {
        return give_up({errc::device_error, e.what()});
    }
}
