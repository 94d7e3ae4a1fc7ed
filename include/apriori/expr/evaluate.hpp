// SPDX-License-Identifier: Apache-2.0
// Evaluates an expression into a new tensor, for code that need not know where memory comes from.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/tensor/tensor.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The value of x in a new tensor of its shape. Allocates the tensor, and a workspace for the duration of the call.
/// Only for devices that work in host memory. Errors: those of assign, and device_error if there is no memory.
template <class Device, expression X>
result<tensor<element_of<X>, extents_of<X>>> evaluate(Device& device, const X& x) {
    static_assert(detail::in_host_memory<Device>,
                  "apriori: evaluate: the device does not work in host memory; assign to a view of its memory");
    tensor<element_of<X>, extents_of<X>> out(as_node(x).ext());
    if constexpr (detail::in_host_memory<Device>) {
        constexpr auto no_memory = "evaluate: no memory for the result";
        if (out.data() == nullptr) return failure{errc::device_error, no_memory};
        const host_buffer temporaries(workspace_of<Device>([&](auto& to) { to(out) = x; }));
        if (temporaries.empty()) return failure{errc::device_error, no_memory};
        if (const status s = assign(device, temporaries.span(), out, x); !s) return to_failure(s);
    }
    return out;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
