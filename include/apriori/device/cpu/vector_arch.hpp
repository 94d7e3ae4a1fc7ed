// SPDX-License-Identifier: Apache-2.0
// vector_arch<N>, registers of N floats as the compiler's vectors, with additions for some instruction sets.
#pragma once

#include "apriori/device/cpu/helium.hpp"
#include "apriori/device/cpu/vector_lanes.hpp"

namespace apriori {

namespace detail {

template <int Lanes>
struct arch_of_lanes {
    using type = vector_arch<Lanes>;
};
template <>
struct arch_of_lanes<1> {
    using type = scalar_arch;
};

} // namespace detail

/// vector_arch<Lanes>, or scalar_arch for one lane.
template <int Lanes>
using arch_of_lanes = typename detail::arch_of_lanes<Lanes>::type;

} // namespace apriori
