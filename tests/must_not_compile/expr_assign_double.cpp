// expect: apriori: assign: the destination is a view of float
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
using element = float;
#else
using element = double;
#endif
auto f(nothing& d, apriori::view<element, apriori::extents<4, 8>> out) { return assign(d, {}, out, 1.0f); }
