// SPDX-License-Identifier: Apache-2.0
// The kernels whose machine code check_machine_code.py reads: a layer's products in each kind of format, for few rows
// and for many.
#include "apriori/device/cuda/device.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/linear.hpp"
#include "apriori/expr/plan.hpp"

using namespace apriori;

template <class Format>
status up(cuda<80>& device, const view<const float, extents<dyn, 2048>>& x, const view<float, extents<dyn, 8192>>& y) {
    return assign(device, {}, y,
                  gelu(linear(x, weight<cuda<80>::packed<Format>, 8192, 2048>{}, view<const float, extents<8192>>{})));
}

template <class... Formats>
void products_in(cuda<80>& device, const view<const float, extents<dyn, 2048>>& x,
                 const view<float, extents<dyn, 8192>>& y, status* made) {
    ((*made++ = up<Formats>(device, x, y)), ...);
}
template void products_in<f32, bf16, bf16a16, w8, w4>(cuda<80>&, const view<const float, extents<dyn, 2048>>&,
                                                      const view<float, extents<dyn, 8192>>&, status*);
