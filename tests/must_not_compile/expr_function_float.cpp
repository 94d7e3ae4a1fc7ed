// expect: apriori: elementwise: a function object must take a float and a register of floats alike
// lines: 40
// SPDX-License-Identifier: Apache-2.0
#include "apriori/device/cpu/device.hpp"
#include "device_nothing.hpp"

struct twice : apriori::fn::function<"twice"> {
#ifdef CONTROL
    auto operator()(auto x) const { return x + x; }
#else
    float operator()(float x) const { return x + x; }
#endif
};
auto f(apriori::cpu<>& d, apriori::view<float, apriori::extents<4, 8>> out) {
    return assign(d, {}, out, apriori::elementwise(twice{}, out));
}
