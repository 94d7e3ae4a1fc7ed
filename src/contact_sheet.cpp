// SPDX-License-Identifier: Apache-2.0
#include "contact_sheet.hpp"

#include "apriori/io/atomic_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace apriori::program {

namespace {
constexpr int cell_width = pictures::width + 2 * contact_sheet::margin,
              cell_height = pictures::height + 2 * contact_sheet::margin;
}

result<void> contact_sheet::check(std::size_t rows, int samples) {
    const int columns = std::min(samples, most_in_row),
              row_bytes = columns * cell_width * scale + 1; // of each line of pixels
    const auto most = static_cast<std::size_t>(std::numeric_limits<int>::max() / row_bytes / (cell_height * scale));
    if (rows <= most) return {};
    return failure{errc::invalid_argument,
                   io::cat("--png: ", rows, " rows of ", columns, " pictures are too many for one PNG; allowed: up to ",
                           most, " rows; ask for fewer, or leave --png away")};
}

void contact_sheet::add_row(const pictures& row) {
    pictures shown = row;
    shown.ink.resize(static_cast<std::size_t>(std::min(row.count(), most_in_row)) * pictures::size);
    rows_.push_back(std::move(shown));
}

result<void> contact_sheet::write(const std::filesystem::path& path) const {
    int columns = 0;
    for (const pictures& row : rows_) columns = std::max(columns, row.count());
    const int width = columns * cell_width * scale, height = static_cast<int>(rows_.size()) * cell_height * scale;
    std::vector<std::uint8_t> grey(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 255);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const int row = y / scale / cell_height, column = x / scale / cell_width;
            const int py = y / scale % cell_height - margin, px = x / scale % cell_width - margin;
            const pictures& p = rows_[static_cast<std::size_t>(row)];
            if (column >= p.count() || px < 0 || py < 0 || px >= pictures::width || py >= pictures::height) continue;
            const float ink = p[column][static_cast<std::size_t>(py * pictures::width + px)];
            grey[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)] =
                static_cast<std::uint8_t>(255 - static_cast<int>(std::clamp(ink, 0.0F, 1.0F) * 255.0F));
        }
    std::string png;
    const auto append = [](void* to, void* data, int size) {
        static_cast<std::string*>(to)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
    };
    if (stbi_write_png_to_func(append, &png, width, height, 1, grey.data(), width) == 0)
        return failure{errc::io_error, path.string() + ": the PNG could not be made"};
    return io::write_file(path, png);
}

} // namespace apriori::program
