// SPDX-License-Identifier: Apache-2.0
// A value, or an error with a message. (std::expected is C++23.)
#pragma once

#include "apriori/core/status.hpp"

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace apriori {

/// What went wrong and where, what is allowed and what to do: one line, without a full stop or line break at the end.
struct failure {
    errc code = errc::invalid_argument;
    std::string message{};

    failure() = default;
    /// The message consists of the parts, texts and numbers, in sequence.
    template <class... Parts>
    requires(sizeof...(Parts) > 0)
    failure(errc c, const Parts&... parts) : code(c) {
        (add(parts), ...);
    }

private:
    void add(char part) { message += part; }
    void add(std::string_view part) { message += part; }
    template <class Number>
    requires std::is_arithmetic_v<Number>
    void add(Number part) {
        message += std::to_string(part);
    }
};

/// The message of a status, with its two numbers if it has any.
inline failure to_failure(const status& s) {
    if (s.got == 0 && s.limit == 0) return {s.code, s.what};
    return {s.code, s.what, " (got ", s.got, ", limit ", s.limit, ")"};
}

/// A `T` or a `failure`. `result<void>` is success or an error.
template <class T>
class [[nodiscard]] result {
public:
    // Two constructors instead of one by value: nvcc moves a returned variable only into a reference parameter.
    result(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(const T& value)
    requires std::copy_constructible<T>
        : state_(std::in_place_index<0>, value) {}
    result(failure e) : state_(std::in_place_index<1>, std::move(e)) {}

    bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    /// The value; only when ok().
    T& value() & noexcept { return *std::get_if<0>(&state_); }
    const T& value() const& noexcept { return *std::get_if<0>(&state_); }
    T&& value() && noexcept { return std::move(*std::get_if<0>(&state_)); }
    T& operator*() & noexcept { return value(); }
    const T& operator*() const& noexcept { return value(); }
    T* operator->() noexcept { return std::get_if<0>(&state_); }
    const T* operator->() const noexcept { return std::get_if<0>(&state_); }

    /// The error; only when not ok().
    const failure& error() const noexcept { return *std::get_if<1>(&state_); }

private:
    std::variant<T, failure> state_;
};

template <>
class [[nodiscard]] result<void> {
public:
    result() = default;
    result(failure e) : error_(std::move(e)) {}
    result(const status& s) {
        if (!s) error_ = to_failure(s);
    }

    bool ok() const noexcept { return error_.code == errc::ok; }
    explicit operator bool() const noexcept { return ok(); }
    const failure& error() const noexcept { return error_; }

private:
    failure error_{errc::ok, ""};
};

} // namespace apriori
