// SPDX-License-Identifier: Apache-2.0
// Weights for user-defined layers: a matrix in the layout and memory of a device.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/expr/linear.hpp"

#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A weight matrix [Out, In] on a device, which must outlive it.
template <index_t Out, index_t In, class Device, class Format = f32>
class weight_storage {
public:
    using packed = typename Device::template packed<Format>;

    /// Packs values [Out, In], row-major. device_error if the device has no memory, shape_mismatch for another number
    /// of values, and the format's own errors for values that it cannot hold.
    static result<weight_storage> make(Device& device, std::span<const float> values) {
        weight_storage w(device.allocate(packed::stored_bytes(Out, In)));
        if (w.memory_.empty()) return failure{errc::device_error, "no memory for a weight matrix"};
        if (std::ssize(values) != Out * In)
            return failure(errc::shape_mismatch, "weight: ", values.size(), " values are not ", Out, " times ", In);
        if (const status s = device.pack(w.operand().packed, 0, values); !s) return to_failure(s);
        return w;
    }

    /// The operand of linear(x, w). It refers to this memory.
    weight<packed, Out, In> operand() const { return {packed(memory_.data(), Out, In)}; }

private:
    explicit weight_storage(typename Device::buffer memory) : memory_(std::move(memory)) {}

    typename Device::buffer memory_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
