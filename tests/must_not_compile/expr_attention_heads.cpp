// expect: require_shapes<.*attention.*extents<-1, 24>
// SPDX-License-Identifier: Apache-2.0
// The number of columns is not a multiple of the heads.
#include "apriori/expr.hpp"

#ifdef CONTROL
constexpr int heads = 4;
#else
constexpr int heads = 5;
#endif
auto f(apriori::view<const float, apriori::extents<apriori::dyn, 24>> x) {
    return apriori::attention<heads>(x, x, x, apriori::attention_rows{}, 1.0f);
}
