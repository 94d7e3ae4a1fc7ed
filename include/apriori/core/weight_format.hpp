// SPDX-License-Identifier: Apache-2.0
// The formats in which a device can hold packed weights. A device says which it has: `typename Device::template packed<F>`.
#pragma once

namespace apriori {

/// IEEE 754 binary32: the weights as they are.
struct f32 {
    static constexpr const char* name = "f32";
};

} // namespace apriori
