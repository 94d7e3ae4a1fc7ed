// expect: apriori: an expression keeps views: an operand is a temporary tensor
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

auto f() {
#ifdef CONTROL
    static const apriori::tensor<float, apriori::extents<4>> x;
    return x + 1.0f;
#else
    return apriori::tensor<float, apriori::extents<4>>{} + 1.0f;
#endif
}
