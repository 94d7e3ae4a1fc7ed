// SPDX-License-Identifier: Apache-2.0
// The parts of apriori::compiled besides kernels (device/cpu/compiled_kernels.hpp) and functions (core/macros.hpp):
// packing and the sampling loop of float32 models on the CPU.
#pragma once

#include "apriori/device/cpu/device.hpp"
#include "apriori/models/packed_weights.hpp"
#include "apriori/pipelines/sampler.hpp"

#if defined(APRIORI_COMPILED_KERNELS)

#if defined(APRIORI_COMPILING)
#define APRIORI_PART template
#else
#define APRIORI_PART extern template
#endif

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

APRIORI_PART class weight_memory<cpu<>, f32>;
APRIORI_PART result<void> run_sampling(const sampled_model<cpu<>>&, std::span<const step_coefficients>, int, float,
                                       std::span<const float>, std::span<float>, const sampling_options&);

} // namespace apriori::detail
APRIORI_END_EXACT_MATH

#undef APRIORI_PART

#endif
