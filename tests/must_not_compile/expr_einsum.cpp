// expect: apriori: einsum: an operand has as many axes as letters
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "apriori/expr/einsum.hpp"

auto f(apriori::view<const float, apriori::extents<2, 3>> a, apriori::view<const float, apriori::extents<3, 4>> b) {
#ifdef CONTROL
    (void)apriori::einsum<"ij,jk->ik">(a, b);
#else
    (void)apriori::einsum<"bij,jk->ik">(a, b);
#endif
    return b;
}
