// expect: apriori: from_eigen: a view of a temporary matrix would outlive it
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "apriori/tensor/eigen.hpp"

auto f() {
#ifdef CONTROL
    static const Eigen::Matrix2f x = Eigen::Matrix2f::Zero();
    return apriori::from_eigen(x);
#else
    return apriori::from_eigen(Eigen::Matrix2f::Zero().eval());
#endif
}
