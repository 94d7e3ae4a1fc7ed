// SPDX-License-Identifier: Apache-2.0
#include "bus_error.hpp"

#include "exit_code.hpp"

#include <atomic>
#include <csignal>
#include <string_view>

#include <unistd.h>

namespace apriori::program {

namespace {

constexpr std::string_view message =
    "apriori: an input file cannot be read: its disk failed, or it was cut short while it was open\n";

std::atomic_flag said;

extern "C" void on_bus_error(int signal, siginfo_t* info, void*) {
    if (info->si_code != BUS_ADRERR) { // not from a mapped file
        std::signal(signal, SIG_DFL);  // then the instruction runs again
        return;
    }
    while (said.test_and_set()) ::pause(); // another thread ends the program
    if (::write(STDERR_FILENO, message.data(), message.size()) < 0) ::_exit(bad_input);
    ::_exit(bad_input);
}

} // namespace

void catch_bus_errors() noexcept {
    struct ::sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
}

} // namespace apriori::program
