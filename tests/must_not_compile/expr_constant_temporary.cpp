// expect: constant_value_needs_temporaries_or_extents_do_not_fit
// SPDX-License-Identifier: Apache-2.0
#include "apriori/device/constant.hpp"

constexpr apriori::tensor<float, apriori::extents<2, 2>, apriori::on_stack> a({1, 2, 3, 4});
#ifdef CONTROL
static_assert(apriori::constant_value(apriori::matmul(a, a))(0, 0) == 7);
#else
static_assert(apriori::constant_value(apriori::matmul(a, apriori::matmul(a, a)))(0, 0) == 37);
#endif
