// SPDX-License-Identifier: Apache-2.0
// The version of the library.
#pragma once

#include "apriori/core/macros.hpp"

namespace apriori {

/// Version of the library. CMakeLists.txt reads it from here.
struct version {
    static constexpr int major = 0;
    static constexpr int minor = 1;
    static constexpr int patch = 0;
    static constexpr const char* string = "0.1.0";
};

} // namespace apriori
