// SPDX-License-Identifier: Apache-2.0
// A launch of a primitive in words and numbers: an entry of a plan, and what a recording device writes down. Each
// primitive describes itself (expr/ops.hpp).
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"

#include <array>
#include <cstdint>
#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A short list of names; names past its capacity are dropped.
struct name_list {
    static constexpr int capacity = 12;
    std::array<std::string_view, capacity> names{};
    int count = 0;

    constexpr void add(std::string_view name) {
        if (count < capacity) at(names, count++) = name;
    }
    constexpr bool contains(std::string_view name) const {
        for (int i = 0; i < count; ++i)
            if (at(names, i) == name) return true;
        return false;
    }
    constexpr bool operator==(const name_list&) const = default;
};

/// What a program reports about itself, if it has them: names(list), `flops` per element, bytes(rows, cols) that it
/// reads.
template <class Program>
inline constexpr std::int64_t flops_of = [] {
    if constexpr (requires { Program::flops; })
        return std::int64_t{Program::flops};
    else
        return std::int64_t{0};
}();
constexpr std::int64_t bytes_of(const auto& p, index_t rows, index_t cols) {
    if constexpr (requires { p.bytes(rows, cols); })
        return p.bytes(rows, cols);
    else
        return 0;
}
/// The operations of reductions in a program, which run over rows of their own length.
constexpr std::int64_t row_flops_of(const auto& p, index_t rows) {
    if constexpr (requires { p.row_flops(rows); })
        return p.row_flops(rows);
    else
        return 0;
}
template <class Program>
constexpr void add_names(name_list& list) {
    if constexpr (requires { Program::names(list); }) Program::names(list);
}

/// One launch of a primitive. FLOPs count a multiplication and an addition as two; bytes are those of operands and
/// results, each counted once.
struct launch {
    std::string_view primitive;
    name_list prologue{};
    name_list epilogue{};
    index_t batch = 1, rows = 0, cols = 0, depth = 0; ///< depth: the extent that is summed over; 0 if there is none
    std::int64_t flops = 0;
    std::int64_t bytes = 0;

    constexpr bool operator==(const launch&) const = default;

    /// Counts a program that is computed at each of program_rows by program_cols elements, and adds its names to
    /// `list`.
    template <class Program>
    constexpr void add(const Program& p, name_list& list, index_t program_rows, index_t program_cols) {
        add_names<Program>(list);
        flops += flops_of<Program> * program_rows * program_cols + row_flops_of(p, program_rows);
        bytes += bytes_of(p, program_rows, program_cols);
    }
    /// The same for the program after the primitive, whose result is written as elements of T.
    template <class T = float>
    constexpr void add_epilogue(const auto& p, index_t out_rows, index_t out_cols) {
        add(p, epilogue, out_rows, out_cols);
        bytes += std::int64_t{sizeof(T)} * out_rows * out_cols;
    }
};

/// True if a device has a primitive: by the device's run(op), or by the primitive's own run_on(device).
template <class Device, class Op>
concept runs = requires(Device& d, const Op& op) { d.run(op); } || requires(Device& d, const Op& op) { op.run_on(d); };

namespace detail {

/// True for a device whose kernels process rows one by one, so that they can reduce a row as well
/// (expr/row_reduction.hpp).
template <class Device>
inline constexpr bool fuses_rows = requires { requires Device::fuses_rows; };

} // namespace detail

/// Launches a primitive on a device that has it.
template <class Device, class Op>
requires runs<Device, Op>
constexpr status run_on(Device& device, const Op& op) {
    if constexpr (requires { device.run(op); })
        return device.run(op);
    else
        return op.run_on(device);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
