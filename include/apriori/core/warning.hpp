// SPDX-License-Identifier: Apache-2.0
// Warnings about contents of files that change no result: one line of text each, passed to a handler.
#pragma once

#include "apriori/core/report.hpp"

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace apriori {

namespace detail {

/// A lock that one thread holds at a time. Not a mutex, which platforms without threads lack.
class spin_lock {
public:
    spin_lock() noexcept {
        while (busy.test_and_set(std::memory_order_acquire)) {}
    }
    ~spin_lock() { busy.clear(std::memory_order_release); }
    spin_lock(const spin_lock&) = delete;
    spin_lock& operator=(const spin_lock&) = delete;

private:
    inline static std::atomic_flag busy{};
};

} // namespace detail

/// Receives a warning: one line of text, without a line break. Several threads may call it at once.
using warning_handler = void (*)(std::string_view text);

/// The default handler: prints "apriori: warning: TEXT" to stderr, each text once per process.
inline void print_warning(std::string_view text) {
    constexpr std::size_t most = 1000; // texts to remember: bounded, since a process may load files forever
    static std::set<std::string, std::less<>> said;
    {
        const detail::spin_lock alone;
        if (said.contains(text)) return;
        if (said.size() < most) said.emplace(text);
    }
    std::fprintf(stderr, "apriori: warning: %s\n", on_one_line(text).c_str());
}

namespace detail {
inline std::atomic<warning_handler> current_warning_handler{&print_warning};
} // namespace detail

/// Sends warnings to `handler` from now on, or nowhere if it is nullptr. Returns the previous handler. A unit that is
/// compiled for several instruction sets (apriori_add_multiarch) is closed and has its own handler.
inline warning_handler on_warning(warning_handler handler) noexcept {
    return detail::current_warning_handler.exchange(handler);
}

/// Passes a warning to the handler. Only functions that load files do so, never a forward or a step.
inline void warn(std::string_view text) {
    if (const warning_handler handler = detail::current_warning_handler.load()) handler(text);
}

} // namespace apriori
