// expect: apriori: assign: the destination is const
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#include "apriori/expr/rearrange.hpp"

auto f(nothing& d, apriori::view<float, apriori::extents<4, 1>> out) {
#ifdef CONTROL
    return assign(d, {}, out, 1.0f);
#else
    return assign(d, {}, apriori::broadcast_to<4, 8>(out), 1.0f);
#endif
}
