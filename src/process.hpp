// SPDX-License-Identifier: Apache-2.0
// Standard streams, times and memory of this process, from the operating system.
#pragma once

#include <cstdint>

namespace apriori::program {

/// Notes the time; main calls it first.
void note_start() noexcept;

/// Opens /dev/null for each of the standard streams that is closed, the wrong way round, so that its use still fails:
/// otherwise the next file opened would be that stream, and messages would go into an output.
void fill_closed_streams() noexcept;

/// Seconds from the start of the process until now: processor time before note_start (loading the
/// program), and elapsed time since then.
double seconds_since_start() noexcept;

/// The peak memory of this process so far, in bytes (VmHWM); 0 if the system does not provide it.
std::int64_t peak_memory_bytes();

} // namespace apriori::program
