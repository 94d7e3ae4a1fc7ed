// SPDX-License-Identifier: Apache-2.0
// What each build of digits.cpp offers: nothing but functions and constants crosses between builds.
#pragma once

struct digits_table {
    const char* arch;
    int lanes;
    bool (*forward)(float* out); ///< [64]
};
