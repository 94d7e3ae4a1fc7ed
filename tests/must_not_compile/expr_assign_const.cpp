// expect: apriori: assign: the destination is const
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
using element = float;
#else
using element = const float;
#endif
auto f(nothing& d, apriori::view<element, apriori::extents<2, 3>> out,
       apriori::view<const float, apriori::extents<3>> x) {
    return assign(d, {}, out, x * 2.0f);
}
