// SPDX-License-Identifier: Apache-2.0
// What the program's exit code says, and how an error becomes one.
#pragma once

#include "apriori/core/result.hpp"

namespace apriori::program {

enum exit_code : int {
    done = 0,
    over_tolerance = 1, ///< verify: a number is further from the expected one than is allowed
    bad_input = 2,      ///< an option, a file or a model that cannot be used
    failed = 3,         ///< the device or the memory gave out
    interrupted = 130,  ///< SIGINT; 143 for SIGTERM: 128 and the signal's number
};

/// The line of --help.
inline constexpr const char* exit_code_help =
    "Exit code: 0 done; 1 verify found a number over its tolerance; 2 bad input; 3 the device or the memory gave out; "
    "130 interrupted.";

inline exit_code exit_code_of(const failure& f) noexcept {
    switch (f.code) {
    case errc::ok:
        return done;
    case errc::workspace_too_small:
    case errc::device_error:
        return failed;
    case errc::cancelled:
        return interrupted;
    default:
        return bad_input;
    }
}

} // namespace apriori::program
