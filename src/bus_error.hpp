// SPDX-License-Identifier: Apache-2.0
// Inputs are mapped: if one cannot be read, the system sends SIGBUS instead of returning an error.
#pragma once

namespace apriori::program {

/// From now on, a mapped file that cannot be read ends the program with one line and the exit code of bad input.
void catch_bus_errors() noexcept;

} // namespace apriori::program
