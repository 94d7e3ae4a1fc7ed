// SPDX-License-Identifier: Apache-2.0
// PriorTransformer's packed memory as operands of expressions.
#pragma once

#include "apriori/models/packed_operands.hpp"
#include "apriori/models/prior_parameters.hpp"

namespace apriori {

template <PriorConfig C, class Packed>
using prior_operands = packed_operands<model_of<C>, Packed>;

} // namespace apriori
