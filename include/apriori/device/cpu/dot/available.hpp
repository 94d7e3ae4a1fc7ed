// SPDX-License-Identifier: Apache-2.0
// Which dot product instructions are available for registers of `Lanes` words. Each has a file beside this one.
#pragma once

#include "apriori/core/macros.hpp"

namespace apriori::cpu_device {

/// Pairs of 16-bit integers, two products added in 32 bits: multiply_pairs(a, b).
template <int Lanes>
inline constexpr bool has_pairs = false;
/// Quads of bytes, unsigned times signed, four products added to 32 bits: add_quads(sum, bytes, signed_bytes).
template <int Lanes>
inline constexpr bool has_quads = false;
/// The same, signed times signed: add_signed_quads(sum, signed_bytes, signed_bytes).
template <int Lanes>
inline constexpr bool has_signed_quads = false;
/// Pairs of bfloat16, two products added to float32: add_bfloat16_pairs(sum, a, b), and store_bfloat16(to, x).
template <int Lanes>
inline constexpr bool has_bfloat16_pairs = false;

} // namespace apriori::cpu_device
