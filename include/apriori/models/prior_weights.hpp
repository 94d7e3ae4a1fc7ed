// SPDX-License-Identifier: Apache-2.0
// PriorTransformer's weights in the memory of a device.
#pragma once

#include "apriori/layers/timestep_embedding.hpp"
#include "apriori/models/packed_weights.hpp"
#include "apriori/models/prior_operands.hpp"

namespace apriori {

/// Element i of a constant that lies beside the weights: the frequencies of the timestep embedding, and zeros.
inline float constant_of(const PriorConfig& c, slot s, index_t i) {
    return s == slot::frequencies ? timestep_frequency(i, c.inner_dim() / 2) : 0.0f;
}

template <PriorConfig C, class Device, class Format>
using prior_weights = packed_weights<model_of<C>, Device, Format>;

} // namespace apriori
