// expect: apriori: operands of expressions are float
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
using element = float;
#else
using element = int;
#endif
auto f(nothing& d, apriori::view<float, apriori::extents<4, 8>> out,
       apriori::view<const element, apriori::extents<4, 8>> x) {
    return assign(d, {}, out, 2.0f * x);
}
