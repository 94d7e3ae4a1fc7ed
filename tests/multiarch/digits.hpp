// SPDX-License-Identifier: Apache-2.0
// The interface of each build of digits.cpp: only functions and constants are shared between builds.
#pragma once

struct digits_table {
    const char* arch;
    int lanes;
    bool (*forward)(float* out); ///< [64]
};
