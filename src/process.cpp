// SPDX-License-Identifier: Apache-2.0
#include "process.hpp"

#include <chrono>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

namespace apriori::program {

namespace {

using clock = std::chrono::steady_clock;

clock::time_point noted;
double before_it = 0;

} // namespace

void note_start() noexcept {
    noted = clock::now();
    ::timespec spent{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0)
        before_it = static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

void fill_closed_streams() noexcept {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

double seconds_since_start() noexcept {
    return before_it + std::chrono::duration<double>(clock::now() - noted).count();
}

std::int64_t peak_memory_bytes() {
    std::ifstream file("/proc/self/status");
    for (std::string word; file >> word;)
        if (std::int64_t kilobytes = 0; word == "VmHWM:" && file >> kilobytes) return kilobytes * 1024;
    return 0;
}

} // namespace apriori::program
