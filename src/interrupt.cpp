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
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
}

int interrupt_signal() noexcept { return caught; }

failure interrupt_failure() { return {errc::cancelled, "interrupted; nothing was written"}; }

} // namespace apriori::program
