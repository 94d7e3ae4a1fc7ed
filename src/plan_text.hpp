// SPDX-License-Identifier: Apache-2.0
// A plan as text: a launch on each line, with repetitions printed once.
#pragma once

#include "apriori/expr/launch.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace apriori::program {

/// A number with three digits and a prefix of thousands (k, M, G, T, P): "1.34 G".
std::string scaled(double value);

/// A number with commas: "1,036,205,824".
std::string grouped(std::int64_t value);

/// All launches, numbered: prologue, primitive, epilogue, shape, FLOPs and bytes. A sequence of launches that repeats
/// immediately is printed once, with the number of repetitions.
std::string plan_text(std::span<const launch> launches);

} // namespace apriori::program
