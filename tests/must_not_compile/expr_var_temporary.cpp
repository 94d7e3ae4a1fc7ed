// expect: apriori: var: the operand is a temporary tensor: give it a name
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "device_nothing.hpp"

#include "apriori/expr/normalize.hpp"

apriori::tensor<float, apriori::extents<4, 8>> x;
#ifdef CONTROL
auto f() { return apriori::var<0, 1>(x); }
#else
auto f() { return apriori::var<0, 1>(apriori::tensor<float, apriori::extents<4, 8>>()); }
#endif
