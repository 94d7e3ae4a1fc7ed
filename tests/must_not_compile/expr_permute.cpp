// expect: apriori: permute: name each axis once
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "apriori/expr/axes.hpp"

auto f(apriori::view<const float, apriori::extents<2, 3>> a, apriori::view<const float, apriori::extents<3, 4>> b) {
#ifdef CONTROL
    (void)apriori::permute<1, 0>(a);
#else
    (void)apriori::permute<1, 1>(a);
#endif
    return b;
}
