// expect: apriori: an expression keeps views: an operand is a temporary tensor
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

auto f() {
#ifdef CONTROL
    static const apriori::tensor<float, apriori::extents<4>> x;
    return softmax(x);
#else
    return apriori::softmax(apriori::tensor<float, apriori::extents<4>>{});
#endif
}
