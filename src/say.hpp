// SPDX-License-Identifier: Apache-2.0
// What the program prints.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <iterator>
#include <utility>

namespace apriori::program {

/// Prints as fmt::print does, but does not throw if the stream cannot be written: a message or a progress bar that is
/// lost ends no run, and main looks at the end whether the standard output took all.
template <class... Arguments>
void say(std::FILE* to, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::memory_buffer text;
    fmt::format_to(std::back_inserter(text), format, std::forward<Arguments>(arguments)...);
    static_cast<void>(std::fwrite(text.data(), 1, text.size(), to));
}

} // namespace apriori::program
