// SPDX-License-Identifier: Apache-2.0
#include "plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace apriori::program {

std::string scaled(double value) {
    static constexpr const char* prefixes[] = {"", "k", "M", "G", "T", "P"};
    std::size_t i = 0;
    while (value >= 999.5 && i + 1 < std::size(prefixes)) {
        value /= 1000;
        ++i;
    }
    return fmt::format("{:.3g} {}", value, prefixes[i]);
}

std::string grouped(std::int64_t value) {
    const std::string digits = std::to_string(value);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
        text += digits[i];
    }
    return text;
}

namespace {

std::string list(const name_list& names) {
    std::string text;
    for (int i = 0; i < names.count; ++i) {
        if (i > 0) text += ", ";
        text += names.names[static_cast<std::size_t>(i)];
    }
    return text;
}

/// Consecutive repetitions of launches: where they begin, how long they are, and how many there are.
struct repeat {
    std::size_t begin = 0, length = 0, times = 0;
};

/// The repetition that covers the most launches; of equal ones the shortest.
repeat longest_repeat(std::span<const launch> launches) {
    repeat best;
    for (std::size_t length = 1; 2 * length <= launches.size(); ++length)
        for (std::size_t begin = 0; begin + 2 * length <= launches.size();) {
            std::size_t same = 0; // how many launches from begin + length on equal those `length` before
            while (begin + length + same < launches.size() && launches[begin + same] == launches[begin + length + same])
                ++same;
            const std::size_t times = same / length + 1;
            if (times > 1 && (times - 1) * length > (best.times - (best.times > 0 ? 1 : 0)) * best.length)
                best = {begin, length, times};
            begin += same + 1;
        }
    return best;
}

/// Prologue, primitive and epilogue as text.
std::string what_text(const launch& l) {
    std::string what;
    if (l.prologue.count > 0) what += fmt::format("[{}] ", list(l.prologue));
    what += l.primitive;
    if (l.epilogue.count > 0) what += fmt::format(" [{}]", list(l.epilogue));
    return what;
}

std::string shape_text(const launch& l) {
    std::string shape = fmt::format("{}{} x {}", l.batch > 1 ? fmt::format("{} x ", l.batch) : "", l.rows, l.cols);
    if (l.depth > 0) shape += fmt::format(" over {}", l.depth);
    return shape;
}

} // namespace

std::string plan_text(std::span<const launch> launches) {
    const repeat folded = longest_repeat(launches);
    std::size_t what = 0, shape = 0; // widths of the columns
    for (const launch& l : launches) {
        what = std::max(what, what_text(l).size());
        shape = std::max(shape, shape_text(l).size());
    }
    std::string text;
    for (std::size_t i = 0; i < launches.size(); ++i) {
        const bool inside = i >= folded.begin && i < folded.begin + folded.length;
        if (inside && i == folded.begin) text += fmt::format("     {} times:\n", folded.times);
        const launch& l = launches[i];
        text += fmt::format("{:>4}.{}{:<{}}  {:<{}}  {:>9}FLOP {:>9}B\n", i + 1, inside ? "   " : " ", what_text(l),
                            what + (inside ? 0 : 2), shape_text(l), shape, scaled(static_cast<double>(l.flops)),
                            scaled(static_cast<double>(l.bytes)));
        if (inside && i + 1 == folded.begin + folded.length) i += folded.length * (folded.times - 1);
    }
    return text;
}

} // namespace apriori::program
