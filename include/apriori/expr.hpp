// SPDX-License-Identifier: Apache-2.0
// The expression core in one include: tensors, lazy nodes and plans. Printing (expr/print.hpp) and making tensors
// (tensor/make.hpp) are separate.
#pragma once

#include "apriori/expr/axes.hpp"
#include "apriori/expr/convolution.hpp"
#include "apriori/expr/einsum.hpp"
#include "apriori/expr/evaluate.hpp"
#include "apriori/expr/generate.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/expr/rearrange.hpp"
#include "apriori/expr/scan.hpp"
