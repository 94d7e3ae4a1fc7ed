// SPDX-License-Identifier: Apache-2.0
// A plan for people: a launch a line, and what repeats written once.
#pragma once

#include "apriori/expr/launch.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace apriori::program {

/// "1.34 G": three digits and a prefix of thousands (k, M, G, T, P).
std::string scaled(double value);

/// "1,036,205,824".
std::string grouped(std::int64_t value);

/// All launches, numbered: prologue, primitive, epilogue, shape, FLOPs and bytes. A run of launches that follows on
/// itself is printed once, with how often it occurs.
std::string plan_text(std::span<const launch> launches);

} // namespace apriori::program
