// SPDX-License-Identifier: Apache-2.0
// The program's exit codes, and their mapping from errors.
#pragma once

#include "apriori/core/report.hpp"

namespace apriori::program {

enum exit_code : int {
    done = 0,
    over_tolerance = 1, ///< verify: a number differs from the expected one by more than is allowed
    bad_input = 2,      ///< an option, a file or a model that cannot be used, or a file that cannot be read or written
    failed = 3,         ///< the device failed, or memory ran out
    interrupted = 130,  ///< SIGINT; 143 for SIGTERM: 128 plus the signal's number
};

/// The line in --help.
inline constexpr const char* exit_code_help =
    "Exit code: 0 done; 1 verify found a number over its tolerance; 2 bad input; 3 the device or the memory gave out; "
    "130 interrupted.";

inline exit_code exit_code_of(const failure& f) noexcept {
    return static_cast<exit_code>(apriori::exit_code_of(f.code));
}

} // namespace apriori::program
