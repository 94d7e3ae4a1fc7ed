// expect: apriori: to_dlpack: DLPack has no tensors of const elements
// lines: 30
// SPDX-License-Identifier: Apache-2.0
#include "apriori/tensor/interop.hpp"

struct dl_tensor {
    void* data;
    struct {
        int device_type, device_id;
    } device;
    int ndim;
    struct {
        unsigned char code, bits;
        unsigned short lanes;
    } dtype;
    std::int64_t *shape, *strides;
    std::uint64_t byte_offset;
};

#ifdef CONTROL
using element = float;
#else
using element = const float;
#endif
auto f(apriori::dlpack_axes<1>& axes) {
    return apriori::to_dlpack<dl_tensor>(apriori::view<element, apriori::extents<4>>(), axes);
}
