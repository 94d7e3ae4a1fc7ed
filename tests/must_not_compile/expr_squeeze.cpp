// expect: apriori: squeeze: no such axis, or its extent is not 1
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "apriori/expr/axes.hpp"

auto f(apriori::view<const float, apriori::extents<2, 3>> a, apriori::view<const float, apriori::extents<3, 4>> b) {
#ifdef CONTROL
    (void)apriori::squeeze<0>(apriori::slice<0, 1>(a, 1));
#else
    (void)apriori::squeeze<0>(a);
#endif
    return b;
}
