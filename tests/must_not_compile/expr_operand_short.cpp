// expect: apriori: elements of expressions are float, double
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
using element = std::uint8_t;
#else
using element = short;
#endif
auto f(nothing& d, apriori::view<float, apriori::extents<4, 8>> out,
       apriori::view<const element, apriori::extents<4, 8>> x) {
    return assign(d, {}, out, x + 1.0f);
}
