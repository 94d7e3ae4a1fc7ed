// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include "say.hpp"
#include "terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace apriori::program {

std::string duration_text(double seconds) {
    const auto s = static_cast<long long>(std::max(0.0, seconds) + 0.5);
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
    return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

progress::progress(int total, std::string_view unit, bool shown)
    : total_(std::max(1, total)), unit_(unit), shown_(shown), terminal_(is_terminal(stderr)) {}

void progress::at(int done, std::string_view what) {
    using namespace std::chrono_literals;
    const auto now = clock::now();
    if (!shown_) return;
    if (now - last_ < (terminal_ ? clock::duration(100ms) : clock::duration(10s))) return;
    last_ = now;
    const double spent = std::chrono::duration<double>(now - start_).count();
    const std::string left = duration_text(done > 0 ? spent / done * (total_ - done) : 0);
    if (!terminal_) {
        say(stderr, "{} of {} {}, {} left\n", done, total_, unit_, left);
        return;
    }
    constexpr int length = 30;
    const long long made = done;
    const int full = static_cast<int>(made * length / total_);
    const std::string head =
        fmt::format("{:>3}% [{:#<{}}{:.<{}}] {} left  ", made * 100 / total_, "", full, "", length - full, left);
    const int room = terminal_width(stderr) - 1 - static_cast<int>(head.size());
    std::string label = printable(what);
    if (static_cast<int>(label.size()) > room) label.clear();
    say(stderr, "\r\x1b[K{}{}", head, label);
    std::fflush(stderr);
    drawn_ = true;
}

void progress::clear() {
    if (!drawn_) return;
    say(stderr, "\r\x1b[K");
    std::fflush(stderr);
    drawn_ = false;
}

} // namespace apriori::program
