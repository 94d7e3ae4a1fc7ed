// SPDX-License-Identifier: Apache-2.0
// Warnings: what a file holds that changes no number here, as one line for people; and where these lines go.
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

/// One thread at a time has one. Not a mutex, which machines without threads lack.
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

/// Takes a warning: one line of text, without a line break. Several threads may call it at once.
using warning_handler = void (*)(std::string_view text);

/// Prints "apriori: warning: TEXT" to stderr, each text once in a process. The handler unless on_warning names another.
inline void print_warning(std::string_view text) {
    constexpr std::size_t most = 1000; // texts to remember: a process that loads files for ever must not grow
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

/// Sends warnings to `handler` from now on, or nowhere if it is nullptr. Returns the handler that there was. A unit that is compiled
/// for several instruction sets (apriori_add_multiarch) is closed, and has its own.
inline warning_handler on_warning(warning_handler handler) noexcept {
    return detail::current_warning_handler.exchange(handler);
}

/// Hands a warning to the handler. Only functions that load files do so: no forward and no step.
inline void warn(std::string_view text) {
    if (const warning_handler handler = detail::current_warning_handler.load()) handler(text);
}

} // namespace apriori
