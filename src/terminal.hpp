// SPDX-License-Identifier: Apache-2.0
// Terminals: whether a stream is one, its width, and pictures in it.
#pragma once

#include "decoder.hpp"

#include <cstdio>
#include <string>
#include <string_view>

namespace apriori::program {

bool is_terminal(std::FILE* stream) noexcept;

/// The columns of a stream's terminal; 80 if it is not one.
int terminal_width(std::FILE* stream) noexcept;

/// How pictures are coloured.
enum class palette {
    none,       ///< ink is a full block: for files, dumb terminals, and if NO_COLOR is set
    greys,      ///< the 24 greys of 256 colours
    true_colour ///< 24 bits
};

/// The palette for a stream, from the environment's TERM, COLORTERM and NO_COLOR.
palette palette_of(std::FILE* stream);

/// Pictures side by side, dark ink on white (without colours: ink on the terminal's background), as many as fit into
/// `width` columns; each character is two pixels, one above the other.
std::string picture_lines(const pictures& row, palette colours, int width);

/// Text from a file, made safe for a terminal: control characters and bytes that are not UTF-8 are escaped.
std::string printable(std::string_view text);

} // namespace apriori::program
