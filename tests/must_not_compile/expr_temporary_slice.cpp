// expect: apriori: a view of a temporary tensor would outlive it
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

auto f() {
#ifdef CONTROL
    static const apriori::tensor<float, apriori::extents<4>> x;
    return apriori::slice<0, 2>(x, 1);
#else
    return apriori::slice<0, 2>(apriori::tensor<float, apriori::extents<4>>{}, 1);
#endif
}
