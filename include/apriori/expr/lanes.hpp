// SPDX-License-Identifier: Apache-2.0
// What element-wise code needs to know of the type it computes in: one float, or a vector register of them.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Loads and broadcasts for a value type V. A SIMD device specialises it for its registers, so that a function object
/// written once, as `auto operator()(auto x)`, serves every device.
template <class V>
struct lanes;

template <>
struct lanes<float> {
    static constexpr int count = 1;
    APRIORI_HD static float load(const float* p) noexcept { return *p; }
    APRIORI_HD static float load_strided(const float* p, index_t) noexcept { return *p; }
    APRIORI_HD static float set(float value) noexcept { return value; }
};

namespace fn {

/// A number in every lane of a value like x.
template <class V>
APRIORI_HD V set(V, float number) noexcept {
    return lanes<V>::set(number);
}

} // namespace fn

} // namespace apriori
APRIORI_END_EXACT_MATH
