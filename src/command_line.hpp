// SPDX-License-Identifier: Apache-2.0
// The command line: options, their ranges, their help.
#pragma once

#include "commands.hpp"

#include <variant>

namespace apriori::program {

/// What is left to do when everything was printed (--help, --version).
struct nothing {};

using any_command = std::variant<nothing, sample_options, interpolate_options, emb2emb_options, encode_options,
                                 verify_options, info_options, pack_options, bench_options>;

/// The command that the arguments ask for. invalid_argument, in one line, for arguments that ask for none.
result<any_command> parse_command_line(int argc, const char* const* argv);

} // namespace apriori::program
