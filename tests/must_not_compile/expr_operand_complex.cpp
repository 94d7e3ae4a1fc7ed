// expect: for complex numbers, take views of the real
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#include <complex>

#ifdef CONTROL
using element = double;
#else
using element = std::complex<float>;
#endif
auto f(nothing& d, apriori::view<float, apriori::extents<4, 8>> out,
       apriori::view<const element, apriori::extents<4, 8>> x) {
    return assign(d, {}, out, 2.0f * x);
}
