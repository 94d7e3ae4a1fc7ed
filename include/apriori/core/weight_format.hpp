// SPDX-License-Identifier: Apache-2.0
// The formats in which a device can hold packed weights. A device declares those that it has:
// `typename Device::template packed<F>`. Activations and sums are float32 in all formats but bf16a16, w8a8 and w4a8. In
// bf16 and bf16a16, numbers below 2^-126 in magnitude may count as zero, because matrix units treat them so.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/macros.hpp"

namespace apriori {

/// IEEE 754 binary32: the weights as they are.
struct f32 {
    static constexpr const char* name = "f32";
};
/// IEEE 754 binary16, rounded to nearest even. Weights past 65504 in magnitude cannot be packed.
struct f16 {
    static constexpr const char* name = "f16";
};
/// The upper half of binary32, rounded to nearest even.
struct bf16 {
    static constexpr const char* name = "bf16";
};
/// bf16 with bfloat16 activations as well: both operands of a product are rounded to nearest even when it is computed.
/// Sums are float32, and so is attention to cached keys.
struct bf16a16 {
    static constexpr const char* name = "bf16a16";
    using products = bfloat16; ///< what products of two activations, those of attention, are computed from
};
/// Integers -127 .. 127 with one float32 scale for each output: the largest magnitude of its weights / 127. A matrix
/// has at most 65536 inputs.
struct w8 {
    static constexpr const char* name = "w8";
};
/// w8 with integer activations as well: when a product is computed, each row of the left operand is rounded to integers
/// -127 .. 127 with one scale, its largest magnitude / 127. Sums are exact integers. Attention is as in bf16a16.
struct w8a8 {
    static constexpr const char* name = "w8a8";
    using products = bfloat16;
};
/// Integers -8 .. 7 with one bfloat16 scale for each output and 32 inputs: the weight of largest magnitude, with its
/// sign, / -8.
struct w4 {
    static constexpr const char* name = "w4";
    static constexpr int group = 32;
};
/// w4 with integer activations as well, as in w8a8.
struct w4a8 {
    static constexpr const char* name = "w4a8";
    using products = bfloat16;
};

} // namespace apriori
