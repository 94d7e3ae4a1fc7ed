// SPDX-License-Identifier: Apache-2.0
// Uses the installed library.
#include <scaling.hpp>

int main() {
    const float x[4]{1, 2, 3, 4};
    float y[4]{};
    if (!twice(apriori::view<const float, apriori::extents<4>>(x, {}),
               apriori::view<float, apriori::extents<4>>(y, {})))
        return 2;
    return y[3] == 8.0f ? 0 : 1;
}
