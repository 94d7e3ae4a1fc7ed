// SPDX-License-Identifier: Apache-2.0
// The function of a library that uses apriori in its implementation.
#include "scaling.hpp"

#include <apriori/device/cpu/device.hpp>

apriori::status twice(const apriori::view<const float, apriori::extents<4>>& x,
                      const apriori::view<float, apriori::extents<4>>& out) {
    apriori::cpu<> device;
    return apriori::assign(device, {}, out, x * 2.0f);
}
