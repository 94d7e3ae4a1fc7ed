// expect: apriori: assign: real numbers become integers, and numbers masks, only where that is asked for
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
using element = double;
#else
using element = std::int32_t;
#endif
auto f(nothing& d, apriori::view<element, apriori::extents<4, 8>> out,
       apriori::view<const float, apriori::extents<4, 8>> x) {
    return assign(d, {}, out, x * 2.0f);
}
