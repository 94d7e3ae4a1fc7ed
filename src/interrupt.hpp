// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM as a flag, so that an interrupted run ends cleanly and leaves no temporary file.
#pragma once

#include "apriori/core/result.hpp"

namespace apriori::program {

/// From now on the first SIGINT or SIGTERM sets the flag, and a second one ends the program at once.
void catch_interrupts() noexcept;

/// The signal that was caught, or 0.
int interrupt_signal() noexcept;

/// The failure of interrupted work.
failure interrupt_failure();

} // namespace apriori::program
