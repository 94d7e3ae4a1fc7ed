// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM as a flag, so that an interrupted run ends in order and leaves no temporary file.
#pragma once

#include "apriori/core/result.hpp"

namespace apriori::program {

/// From now on the first SIGINT or SIGTERM sets the flag, and a second one ends the program at once.
void catch_interrupts() noexcept;

/// The signal that came, 0 if none did.
int interrupt_signal() noexcept;

/// The failure with which interrupted work ends.
failure interrupt_failure();

} // namespace apriori::program
