// SPDX-License-Identifier: Apache-2.0
// The command line: options, their ranges and help.
#pragma once

#include "commands.hpp"

#include <variant>

namespace apriori::program {

/// The command when everything has been printed (--help, --version).
struct nothing {};

using any_command = std::variant<nothing, sample_options, interpolate_options, emb2emb_options, encode_options,
                                 verify_options, info_options, pack_options, bench_options>;

/// The command in the arguments. invalid_argument, in one line, for arguments that are not a command.
result<any_command> parse_command_line(int argc, const char* const* argv);

} // namespace apriori::program
