// expect: require_shapes<.*concat.*extents<2, 3>.*extents<4, 5>
// SPDX-License-Identifier: Apache-2.0
// Parts differ on an axis other than that of the concatenation.
#include "apriori/expr.hpp"

#ifdef CONTROL
using part = apriori::extents<4, 3>;
#else
using part = apriori::extents<4, 5>;
#endif
auto f(apriori::view<const float, apriori::extents<2, 3>> a, apriori::view<const float, part> b) {
    return apriori::concat<0>(a, b);
}
