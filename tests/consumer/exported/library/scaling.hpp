// SPDX-License-Identifier: Apache-2.0
// The interface of a library that includes apriori's source.
#pragma once

#include <apriori/expr.hpp>

/// out = 2 * x
apriori::status twice(const apriori::view<const float, apriori::extents<4>>& x,
                      const apriori::view<float, apriori::extents<4>>& out);
