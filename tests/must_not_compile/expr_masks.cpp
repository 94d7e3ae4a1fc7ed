// expect: apriori: a function of numbers has only masks as operands
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

auto f(nothing& d, apriori::view<float, apriori::extents<4, 8>> out,
       apriori::view<const float, apriori::extents<4, 8>> x) {
#ifdef CONTROL
    return assign(d, {}, out, cast<float>(x > 0.0f) + (x < 1.0f));
#else
    return assign(d, {}, out, (x > 0.0f) + (x < 1.0f));
#endif
}
