// expect: apriori: gathered rows combine with operands of two axes, and do not broadcast
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
using rows = apriori::extents<4>;
#else
using rows = apriori::extents<1>;
#endif
auto f(nothing& d, apriori::view<float, apriori::extents<4, 3>> out,
       apriori::view<const float, apriori::extents<9, 3>> table, apriori::view<const std::int32_t, rows> indices) {
    return assign(d, {}, out, gather(table, indices) * 2.0f);
}
