// SPDX-License-Identifier: Apache-2.0
// Packing for another machine: the layout of weights depends only on how many floats its registers hold.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/simd.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// An architecture of registers of `Lanes` floats that this machine need not have: cpu<packing_arch<4>> packs exactly
/// the bytes that a machine with such registers packs. It computes nothing.
///     1    scalar_arch
///     4    SSE2, NEON, WebAssembly
///     8    AVX2
///     16   AVX-512
template <int Lanes>
struct packing_arch {
    static constexpr const char* name() noexcept { return "packing"; }
};

namespace cpu_device {

template <int Lanes, class T>
struct value_of_arch<packing_arch<Lanes>, T> {
    using type = lane_array<T, Lanes>;
};
template <class T>
struct value_of_arch<packing_arch<1>, T> {
    using type = T;
};

} // namespace cpu_device
} // namespace apriori
APRIORI_END_EXACT_MATH
