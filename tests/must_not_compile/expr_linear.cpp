// expect: require_shapes<.*linear.*extents<-1, 10>.*extents<16, 8>
// SPDX-License-Identifier: Apache-2.0
// A weight [out, in] for rows of another width.
#include "apriori/expr.hpp"

#ifdef CONTROL
using rows = apriori::extents<apriori::dyn, 8>;
#else
using rows = apriori::extents<apriori::dyn, 10>;
#endif
auto f(apriori::view<const float, rows> x, apriori::weight<int, 16, 8> w) { return linear(x, w); }
