// expect: apriori: elementwise: a function object needs
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#ifdef CONTROL
struct twice : apriori::fn::function<"twice"> {
#else
struct twice {
#endif
    auto operator()(auto x) const { return x + x; }
};
auto f(nothing& d, apriori::view<float, apriori::extents<4, 8>> out) {
    return assign(d, {}, out, apriori::elementwise(twice{}, out));
}
