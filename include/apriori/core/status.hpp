// SPDX-License-Identifier: Apache-2.0
// Errors as values. Hot paths return `status`, which owns nothing and never allocates. `failure` and `result<T>`
// (core/result.hpp) carry text and are for set-up: loading, parsing, packing.
#pragma once

#include "apriori/core/macros.hpp"

#include <cstdint>

namespace apriori {

/// The kind of an error.
enum class errc : std::uint8_t {
    ok,
    invalid_argument,    ///< a value that is not allowed
    shape_mismatch,      ///< extents that do not fit together
    workspace_too_small, ///< the caller's span holds fewer bytes than workspace_bytes() says
    not_found,           ///< a file, a tensor or a configuration that does not exist
    bad_format,          ///< a file whose content is damaged or contradicts itself
    io_error,            ///< the operating system refused
    unsupported,         ///< valid, but not supported by this build, device or model
    device_error,        ///< an accelerator reported a failure
    cancelled,           ///< a callback asked to stop
};

/// The outcome of an operation on a hot path. `what` is a string literal; `got` and `limit` are the two numbers that
/// the message is about (0 and 0 if there are none).
struct [[nodiscard]] status {
    errc code = errc::ok;
    const char* what = "";
    std::int64_t got = 0;
    std::int64_t limit = 0;

    constexpr bool ok() const noexcept { return code == errc::ok; }
    constexpr explicit operator bool() const noexcept { return ok(); }

    static constexpr status invalid(const char* what, std::int64_t got = 0, std::int64_t limit = 0) noexcept {
        return {errc::invalid_argument, what, got, limit};
    }
    static constexpr status shape(const char* what, std::int64_t got = 0, std::int64_t limit = 0) noexcept {
        return {errc::shape_mismatch, what, got, limit};
    }
};

} // namespace apriori
