// expect: require_shapes<.*matmul.*extents<2, 3>.*extents<4, 5>
// SPDX-License-Identifier: Apache-2.0
#include "apriori/expr.hpp"

#ifdef CONTROL
using right = apriori::extents<3, 5>;
#else
using right = apriori::extents<4, 5>;
#endif
auto f(apriori::view<const float, apriori::extents<2, 3>> a, apriori::view<const float, right> b) {
    return matmul(a, b);
}
