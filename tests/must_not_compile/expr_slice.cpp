// expect: apriori: slice: longer than the axis
// SPDX-License-Identifier: Apache-2.0
#include "apriori/expr.hpp"

#ifdef CONTROL
constexpr int count = 6;
#else
constexpr int count = 7;
#endif
auto f(apriori::view<const float, apriori::extents<2, 6>> x) { return apriori::slice<1, count>(x, 0); }
