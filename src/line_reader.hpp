// SPDX-License-Identifier: Apache-2.0
// The lines of a file or of the standard input, with their numbers.
#pragma once

#include "apriori/core/result.hpp"
#include "interrupt.hpp"
#include "model_folder.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace apriori::program {

/// Whether the lines of `path` can only be read once: those of "-", the standard input, or of a pipe.
inline bool is_read_once(const std::filesystem::path& path) {
    std::error_code error;
    return path == "-" || (is_there(path) && !is_folder(path) && !std::filesystem::is_regular_file(path, error));
}

/// Lines of a stream or file, with their numbers from 1; empty ones are skipped.
class line_reader {
public:
    static result<line_reader> open(const std::filesystem::path& path) {
        line_reader r;
        r.name_ = path == "-" ? "standard input" : path.string();
        if (path == "-") return r;
        if (is_read_once(path)) { // as the standard input, which it becomes
            const int file = ::open(path.c_str(), O_RDONLY);
            if (file < 0 || ::dup2(file, STDIN_FILENO) < 0)
                return failure{errc::io_error, r.name_ + ": cannot be read"};
            ::close(file);
            return r;
        }
        if (is_folder(path)) return failure{errc::io_error, r.name_ + ": is a folder; a file of prompts is needed"};
        r.file_.open(path);
        if (!r.file_) return failure{errc::not_found, r.name_ + ": cannot be read"};
        r.is_file_ = true;
        return r;
    }
    int number() const noexcept { return number_; }
    std::string where() const { return fmt::format("{}:{}", name_, number_); }
    const std::string& name() const noexcept { return name_; }

    bool next(std::string& line) {
        std::istream& in = is_file_ ? file_ : std::cin;
        while ((is_file_ || interrupt_signal() == 0) && std::getline(in, line) && !broke_off()) {
            ++number_;
            if (line.find_first_not_of(" \t\r") != std::string::npos) return true;
        }
        return false;
    }
    /// To be called when there is no next line: io_error if the input could not be read to its end, cancelled if a
    /// signal ended the waiting for a line.
    result<void> at_end() const {
        if (!is_file_ && interrupt_signal() != 0)
            return failure{errc::cancelled, fmt::format("{}: interrupted after line {}", name_, number_)};
        if (!broke_off()) return {};
        return failure{errc::io_error,
                       fmt::format("{}: cannot be read to its end: line {} is the last that was read", name_, number_)};
    }

private:
    /// True if a read failed. A stream on C's standard input only shows the end.
    bool broke_off() const { return is_file_ ? file_.bad() : std::cin.bad() || std::ferror(stdin) != 0; }

    std::string name_;
    std::ifstream file_;
    bool is_file_ = false;
    int number_ = 0;
};

} // namespace apriori::program
