// SPDX-License-Identifier: Apache-2.0
// Pictures side by side as one grey PNG: dark ink on white, a row for each prompt.
#pragma once

#include "apriori/core/result.hpp"
#include "decoder.hpp"

#include <filesystem>
#include <vector>

namespace apriori::program {

class contact_sheet {
public:
    static constexpr int most_in_row = 16; ///< pictures of one prompt
    static constexpr int scale = 8;        ///< edge, in pixels of the PNG, of a pixel of a picture
    static constexpr int margin = 1;       ///< white pixels around each picture, in the picture's pixels

    /// invalid_argument if a PNG has no room for so many rows, of as many samples each.
    static result<void> check(std::size_t rows, int samples);

    void add_row(const pictures& row);

    /// Writes the PNG, whole or not at all.
    result<void> write(const std::filesystem::path& path) const;

private:
    std::vector<pictures> rows_;
};

} // namespace apriori::program
