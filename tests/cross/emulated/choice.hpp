// SPDX-License-Identifier: Apache-2.0
// The function that choice_unit.cpp provides for choice.cpp.
#pragma once

#include <cstdint>

struct choice_unit {
    std::int32_t (*sum)(); ///< of four products of bytes: -32020
};
extern "C" const void* apriori_test_choice();
