// SPDX-License-Identifier: Apache-2.0
// Runs the built program and captures its output.
#pragma once

#include "io_testing.hpp"
#include "sanitizers.hpp"

#include <chrono>
#include <csignal>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace program_testing {

using io_testing::read_all;
using io_testing::temporary_folder;
using path = std::filesystem::path;

inline const path program = APRIORI_PROGRAM, reference_program = APRIORI_REFERENCE_PROGRAM;
inline const path digits = APRIORI_DIGITS, cases = path(APRIORI_TEST_DATA) / "cases";

struct outcome {
    int code = -1; ///< -signal if a signal ended it
    std::string out, err;
    long peak_kib = 0; ///< the most memory that it held
};

/// The processor time that a process has used, in seconds.
inline double processor_seconds(pid_t process) {
    const std::string stat = read_all(path("/proc") / std::to_string(process) / "stat");
    std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size()))); // from the third on
    std::string field;
    for (int i = 3; i < 14; ++i) fields >> field;
    double user = 0;
    fields >> user;
    return user / double(::sysconf(_SC_CLK_TCK));
}

/// A run of the program in its own folder.
class command {
public:
    explicit command(path executable, std::vector<std::string> arguments)
        : executable_(std::move(executable)), arguments_(std::move(arguments)) {}

    command& in(const path& folder) {
        folder_ = folder;
        return *this;
    }
    /// Sends `signal` once `when`, which is called repeatedly with the process's number, returns true.
    command& interrupted_by(int signal, std::function<bool(pid_t)> when) {
        signal_ = signal;
        when_ = std::move(when);
        return *this;
    }
    /// Limits the size of every file, as on a full disk. Messages are still printed.
    command& files_up_to(rlim_t bytes) {
        most_bytes_ = bytes;
        return *this;
    }
    /// Adds NAME=VALUE to the program's environment.
    command& with(std::string variable) {
        environment_.push_back(std::move(variable));
        return *this;
    }
    /// Reads its standard input from that file, from the current position.
    command& reading(int file) {
        input_ = file;
        return *this;
    }
    /// Writes its standard output to that file; `out` stays empty.
    command& writing(path file) {
        output_ = std::move(file);
        return *this;
    }
    /// Its standard error goes there; `err` stays empty.
    command& complaining(path file) {
        errors_ = std::move(file);
        return *this;
    }
    /// It starts without these of its standard streams.
    command& without(std::vector<int> streams) {
        closed_ = std::move(streams);
        return *this;
    }
    /// Runs it in a terminal of that many columns, with 24-bit colours or 256; `out` holds its output.
    command& in_terminal(unsigned short columns, bool true_colour) {
        columns_ = columns;
        true_colour_ = true_colour;
        return *this;
    }

    outcome run() {
        int terminal = -1;
        const temporary_folder logs;
        const std::string out = (logs.path / "out").string(), err = (logs.path / "err").string();
        int pipes[2] = {-1, -1}; // the limit on files does not apply to pipes
        if (most_bytes_ != RLIM_INFINITY && ::pipe(pipes) != 0) return {};
        const pid_t child = columns_ > 0 ? ::forkpty(&terminal, nullptr, nullptr, nullptr) : ::fork();
        if (child == 0) start(out, err, pipes[1]);
        if (pipes[1] >= 0) ::close(pipes[1]);
        std::string shown;
        if (terminal >= 0) {
            ::winsize size{};
            size.ws_row = 50;
            size.ws_col = columns_;
            ::ioctl(terminal, TIOCSWINSZ, &size);
            char buffer[4096];
            for (ssize_t n = 0; (n = ::read(terminal, buffer, sizeof buffer)) > 0;)
                shown.append(buffer, static_cast<std::size_t>(n));
            ::close(terminal);
        }
        int state = 0;
        pid_t ended = 0;
        ::rusage used{};
        while (signal_ != 0 && ended == 0) {
            if (when_(child)) {
                ::kill(child, signal_);
                break;
            }
            ended = ::wait4(child, &state, WNOHANG, &used);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        if (ended == 0) ::wait4(child, &state, 0, &used);
        outcome o;
        o.peak_kib = used.ru_maxrss;
        o.code = WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
        o.out = columns_ > 0 ? shown : read_all(out);
        o.err = read_all(err);
        if (pipes[0] >= 0) {
            char buffer[4096];
            for (ssize_t n = 0; (n = ::read(pipes[0], buffer, sizeof buffer)) > 0;)
                o.err.append(buffer, static_cast<std::size_t>(n));
            ::close(pipes[0]);
        }
        return o;
    }

private:
    [[noreturn]] void start(const std::string& out, const std::string& err, int pipe) {
        if (columns_ > 0) {
            ::usleep(50'000); // until the terminal has its size
            ::setenv("TERM", "xterm-256color", 1);
            ::setenv("COLORTERM", true_colour_ ? "truecolor" : "", 1);
            ::unsetenv("NO_COLOR");
        } else if (pipe >= 0) {
            ::dup2(pipe, 1);
            ::dup2(pipe, 2);
            const ::rlimit limit{most_bytes_, most_bytes_};
            ::setrlimit(RLIMIT_FSIZE, &limit);
            ::signal(SIGXFSZ, SIG_IGN);
        } else {
            ::dup2(::open(output_.empty() ? out.c_str() : output_.c_str(), O_WRONLY | O_CREAT, 0666), 1);
            ::dup2(::open(errors_.empty() ? err.c_str() : errors_.c_str(), O_WRONLY | O_CREAT, 0666), 2);
        }
        if (input_ >= 0) ::dup2(input_, 0);
        for (const int stream : closed_) ::close(stream);
        if (!folder_.empty() && ::chdir(folder_.c_str()) != 0) ::_exit(127);
        for (std::string& variable : environment_) ::putenv(variable.data());
        std::string name = executable_.string();
        std::vector<char*> argv{name.data()};
        for (std::string& a : arguments_) argv.push_back(a.data());
        argv.push_back(nullptr);
        ::execv(name.c_str(), argv.data());
        ::_exit(127);
    }

    path executable_, folder_, output_, errors_;
    std::vector<std::string> arguments_, environment_;
    rlim_t most_bytes_ = RLIM_INFINITY;
    int signal_ = 0, input_ = -1;
    std::vector<int> closed_;
    std::function<bool(pid_t)> when_;
    unsigned short columns_ = 0;
    bool true_colour_ = false;
};

inline outcome run(std::vector<std::string> arguments) { return command(program, std::move(arguments)).run(); }

/// The names that `apriori info` lists after a title, "baseline, avx2; here: avx2": ["baseline", "avx2"].
inline std::vector<std::string> listed(const std::string& title) {
    const outcome o = run({"info"});
    const auto at = o.out.find(title);
    EXPECT_NE(at, std::string::npos) << o.out;
    std::istringstream line(o.out.substr(at + title.size(), o.out.find_first_of(";\n", at) - at - title.size()));
    std::vector<std::string> names;
    for (std::string name; std::getline(line >> std::ws, name, ',');) names.push_back(name);
    return names;
}

/// The arguments of `apriori sample` for the digits, followed by `more`.
inline std::vector<std::string> sample(std::vector<std::string> more) {
    std::vector<std::string> all{"sample", "--model", digits.string(), "--conditions",
                                 (digits / "conditions.safetensors").string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

/// Exit code 2, one line on stderr that holds `part`, nothing on stdout.
inline void expect_refused(const outcome& o, const std::string& part) {
    EXPECT_EQ(o.code, 2) << o.err;
    EXPECT_EQ(o.out, "");
    ASSERT_FALSE(o.err.empty());
    EXPECT_EQ(o.err.find('\n'), o.err.size() - 1) << o.err;
    EXPECT_TRUE(o.err.starts_with("apriori: ")) << o.err;
    EXPECT_NE(o.err.find(part), std::string::npos) << o.err << "lacks " << part;
    io_testing::expect_one_line(o.err.substr(0, o.err.size() - 1));
}

} // namespace program_testing
