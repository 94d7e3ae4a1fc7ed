// expect: apriori: assign: the destination is a view or a tensor
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
using destination = apriori::view<float, apriori::extents<4, 8>>;
#else
using destination = float;
#endif
auto f(nothing& d, destination out) { return apriori::assign(d, {}, out, 1.0f); }
