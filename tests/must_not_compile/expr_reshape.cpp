// expect: apriori: reshape: another number of elements
// SPDX-License-Identifier: Apache-2.0
#include "apriori/expr.hpp"

#ifdef CONTROL
using to = apriori::extents<3, 4>;
#else
using to = apriori::extents<3, 5>;
#endif
auto f(apriori::view<const float, apriori::extents<2, 6>> x) { return reshape(x, to{}); }
