// SPDX-License-Identifier: Apache-2.0
#include "terminal.hpp"

#include "apriori/io/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace apriori::program {

bool is_terminal(std::FILE* stream) noexcept { return ::isatty(::fileno(stream)) == 1; }

int terminal_width(std::FILE* stream) noexcept {
    ::winsize size{};
    if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

palette palette_of(std::FILE* stream) {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string_view(value == nullptr ? "" : value);
    };
    const auto term = variable("TERM"), colours = variable("COLORTERM");
    if (!is_terminal(stream) || !variable("NO_COLOR").empty() || term.empty() || term == "dumb") return palette::none;
    return colours == "truecolor" || colours == "24bit" ? palette::true_colour : palette::greys;
}

namespace {

/// A colour as the parameters of an escape sequence, after 38 or 48.
std::string colour(palette colours, float ink) {
    const float paper = 1.0F - std::clamp(ink, 0.0F, 1.0F);
    if (colours == palette::true_colour) {
        const int grey = static_cast<int>(paper * 255.0F + 0.5F);
        return fmt::format("2;{};{};{}", grey, grey, grey);
    }
    return fmt::format("5;{}", 232 + static_cast<int>(paper * 23.0F + 0.5F));
}

std::string cell(palette colours, float upper, float lower) {
    constexpr float half = 0.5F;
    if (colours == palette::none) return upper >= half ? (lower >= half ? "█" : "▀") : (lower >= half ? "▄" : " ");
    return fmt::format("\x1b[38;{};48;{}m▀", colour(colours, upper), colour(colours, lower));
}

} // namespace

std::string picture_lines(const pictures& row, palette colours, int width) {
    static_assert(pictures::height % 2 == 0);
    const int fit = std::max(1, (width + 1) / (pictures::width + 1));
    std::string text;
    for (int y = 0; y < pictures::height; y += 2) {
        for (int i = 0; i < std::min(fit, row.count()); ++i) {
            if (i > 0) text += ' ';
            for (int x = 0; x < pictures::width; ++x)
                text += cell(colours, row[i][static_cast<std::size_t>(y * pictures::width + x)],
                             row[i][static_cast<std::size_t>((y + 1) * pictures::width + x)]);
            if (colours != palette::none) text += "\x1b[0m";
        }
        text += '\n';
    }
    return text;
}

std::string printable(std::string_view text) {
    const std::string quoted = io::quote(text, 200);
    return quoted.substr(1, quoted.rfind('\'') - 1);
}

} // namespace apriori::program
