// expect: device_operation<nothing, apriori::ops::attention<apriori::el::acc_of<float>
// SPDX-License-Identifier: Apache-2.0
// The error names the device and the operation.
#include "device_nothing.hpp"

auto f(nothing& d, apriori::view<float, apriori::extents<6, 4>> out,
       apriori::view<const float, apriori::extents<6, 12>> x) {
#ifdef CONTROL
    return assign(d, {}, out, apriori::slice<1, 4>(x, 0) * 2.0f);
#else
    return assign(d, {}, out, apriori::self_attention<2>(x, apriori::attention_rows{2, 3}, 1.0f));
#endif
}
