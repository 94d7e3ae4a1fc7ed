// SPDX-License-Identifier: Apache-2.0
// How a configuration that a model does not support fails to compile: with the name of the field and its value.
#pragma once

#include "apriori/core/fixed_string.hpp"

namespace apriori {

/// A real number as a template argument: clang 16 takes one inside a class only.
struct real {
    float value;
};

/// Fails to compile where a field of a configuration holds what the model does not support; the error shows the field,
/// its value and what is allowed.
template <fixed_string Field, auto Value, fixed_string Allowed, bool Supported>
struct config_field {
    static_assert(Supported,
                  "apriori: a field of the configuration has an unsupported value; the template arguments of "
                  "config_field name the field, its value and what is allowed");
    static constexpr bool ok = Supported;
};

} // namespace apriori
