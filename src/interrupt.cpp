// SPDX-License-Identifier: Apache-2.0
#include "interrupt.hpp"

#include <csignal>

namespace apriori::program {

namespace {

volatile std::sig_atomic_t caught = 0;

extern "C" void on_interrupt(int signal) {
    caught = signal;
    std::signal(signal, SIG_DFL);
}

} // namespace

void catch_interrupts() noexcept {
    struct ::sigaction action{}; // without SA_RESTART: a signal ends the waiting for a line of the standard input
    action.sa_handler = on_interrupt;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

int interrupt_signal() noexcept { return caught; }

failure interrupt_failure() { return {errc::cancelled, "interrupted; nothing was written"}; }

} // namespace apriori::program
