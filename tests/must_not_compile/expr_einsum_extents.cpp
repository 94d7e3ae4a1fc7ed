// expect: require_shapes<.*einsum.*extents<2.*3>.*extents<3.*2>
// SPDX-License-Identifier: Apache-2.0
#include "apriori/expr/einsum.hpp"

auto f(apriori::view<const float, apriori::extents<2, 3>> a, apriori::view<const float, apriori::extents<3, 2>> b) {
#ifdef CONTROL
    return apriori::einsum<"ij,ji->">(a, b);
#else
    return apriori::einsum<"ij,ij->">(a, b);
#endif
}
