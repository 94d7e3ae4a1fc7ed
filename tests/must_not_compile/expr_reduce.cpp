// expect: apriori: a reduction: no such axis
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
constexpr int axis = 1;
#else
constexpr int axis = 2;
#endif
auto f(apriori::view<const float, apriori::extents<4, 8>> x) { return apriori::sum<axis>(x); }
