// SPDX-License-Identifier: Apache-2.0
// A progress bar with the remaining time, on stderr: redrawn in a terminal, otherwise a line now and then.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace apriori::program {

/// A duration as text: "7 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);

class progress {
public:
    /// Draws nothing unless `shown`, since another process does.
    explicit progress(int total, std::string_view unit = "steps", bool shown = true);
    ~progress() { clear(); }
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// Shows that `done` of the total are done, the last of them for `what`.
    void at(int done, std::string_view what);
    /// Removes the bar until at() draws it again.
    void clear();

private:
    using clock = std::chrono::steady_clock;

    int total_;
    std::string_view unit_;
    bool shown_, terminal_;
    bool drawn_ = false;
    clock::time_point start_ = clock::now();
    clock::time_point last_ = start_;
};

} // namespace apriori::program
