// SPDX-License-Identifier: Apache-2.0
// Terminals: whether one is there, how wide it is, and pictures in it.
#pragma once

#include "decoder.hpp"

#include <cstdio>
#include <string>
#include <string_view>

namespace apriori::program {

bool is_terminal(std::FILE* stream) noexcept;

/// Columns of the terminal behind a stream; 80 where there is none.
int terminal_width(std::FILE* stream) noexcept;

/// How pictures are coloured.
enum class palette {
    none,       ///< ink is a full block: for files, dumb terminals, and where NO_COLOR is set
    greys,      ///< the 24 greys of 256 colours
    true_colour ///< 24 bits
};

/// What the stream can show, by the environment's TERM, COLORTERM and NO_COLOR.
palette palette_of(std::FILE* stream);

/// Pictures side by side, dark ink on white (without colours: ink on what the terminal has), as many as fit into `width`
/// columns; each character is two pixels, one above the other.
std::string picture_lines(const pictures& row, palette colours, int width);

/// Text from a file, fit for a terminal: control characters and bytes that are not UTF-8 are escaped.
std::string printable(std::string_view text);

} // namespace apriori::program
