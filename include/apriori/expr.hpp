// SPDX-License-Identifier: Apache-2.0
// The expression core in one include: tensors, lazy nodes, plans.
#pragma once

#include "apriori/expr/plan.hpp"
