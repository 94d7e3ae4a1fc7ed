// SPDX-License-Identifier: Apache-2.0
// What the firmware needs of a board: text on the debugger's console (semihosting), a clock, the deepest stack.
#pragma once

#include <cstddef>
#include <cstdint>

namespace board {

void print(const char* text);
void print(std::uint32_t number);

/// Ticks of the core's clock since the start, from SysTick.
std::uint64_t ticks();

/// Bytes of the stack that were used at most so far.
std::size_t deepest_stack();

} // namespace board
