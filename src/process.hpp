// SPDX-License-Identifier: Apache-2.0
// What the operating system says of this process.
#pragma once

#include <cstdint>

namespace apriori::program {

/// Notes the time; main calls it first.
void note_start() noexcept;

/// Seconds from the start of the process until now: processor time before note_start (loading the program), and all time
/// since.
double seconds_since_start() noexcept;

/// The most memory that this process held at once so far, in bytes (VmHWM); 0 where the system does not say.
std::int64_t peak_memory_bytes();

} // namespace apriori::program
