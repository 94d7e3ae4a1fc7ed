// expect: apriori: assign: the destination's last axis must be contiguous
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
constexpr int axis = 0;
#else
constexpr int axis = 1;
#endif
auto f(nothing& d, apriori::view<float, apriori::extents<3, 3>> out,
       apriori::view<const float, apriori::extents<3>> x) {
    return assign(d, {}, apriori::transpose<0, axis>(out), x * 2.0f);
}
