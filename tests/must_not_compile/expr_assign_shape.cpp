// expect: require_shapes<.*assign.*extents<2, 3>.*extents<4, 3>
// SPDX-License-Identifier: Apache-2.0
// The result is larger than its destination.
#include "device_nothing.hpp"

#ifdef CONTROL
using source = apriori::extents<1, 3>;
#else
using source = apriori::extents<4, 3>;
#endif
auto f(nothing& d, apriori::view<float, apriori::extents<2, 3>> out, apriori::view<const float, source> x) {
    return assign(d, {}, out, x * 2.0f);
}
