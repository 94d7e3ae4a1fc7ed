// SPDX-License-Identifier: Apache-2.0
// The board's functions for the firmware: text on the debugger's console (semihosting), a clock, the deepest stack.
#pragma once

#include <cstddef>
#include <cstdint>

namespace board {

void print(const char* text);
void print(std::uint32_t number);

/// Ticks of the core's clock since the start, from SysTick.
std::uint64_t ticks();

/// The most bytes of the stack that have been used so far.
std::size_t deepest_stack();

} // namespace board
