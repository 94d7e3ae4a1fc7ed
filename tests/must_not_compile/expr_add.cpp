// expect: require_shapes<.*add.*extents<2, 3>.*extents<2, 4>
// SPDX-License-Identifier: Apache-2.0
// The error shows the operation and both shapes.
#include "apriori/expr.hpp"

#ifdef CONTROL
using other = apriori::extents<2, 1>;
#else
using other = apriori::extents<2, 4>;
#endif
auto f(apriori::view<const float, apriori::extents<2, 3>> x, apriori::view<const float, other> y) { return x + y; }
