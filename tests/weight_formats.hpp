// SPDX-License-Identifier: Apache-2.0
// The numbers that weight formats store, by their definitions in core/weight_format.hpp.
#pragma once

#include "apriori/core/weight_format.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

namespace weight_formats {

using namespace apriori;

/// The number that a format stores for x = row[i], in double; `row` holds the weights of an output.
template <class F>
double kept(const std::vector<float>& row, std::size_t i) {
    const double x = row[i];
    const auto nearest = [](double v, int digits) { // to `digits` binary digits, ties to even
        if (v == 0) return 0.0;
        int e;
        const double m = std::frexp(v, &e);
        return std::ldexp(std::nearbyint(std::ldexp(m, digits)), e - digits);
    };
    const auto scaled = [&](std::size_t first, std::size_t last, float levels) {
        float top = 0;
        for (std::size_t j = first; j < last; ++j) top = std::max(top, std::fabs(row[j]));
        const float scale = top / levels;
        return scale > 0 ? std::nearbyint(row[i] / scale) * static_cast<double>(scale) : 0.0;
    };
    if constexpr (std::is_same_v<F, f32>) return x;
    if constexpr (std::is_same_v<F, bf16> || std::is_same_v<F, bf16a16>) return nearest(x, 8);
    if constexpr (std::is_same_v<F, f16>)
        return std::fabs(x) < 0x1p-14 ? std::nearbyint(x * 0x1p24) * 0x1p-24 : nearest(x, 11);
    if constexpr (std::is_same_v<F, w8>) return scaled(0, row.size(), 127.0f);
    if constexpr (std::is_same_v<F, w4> || std::is_same_v<F, w4a8>) {
        const std::size_t first = i / 32 * 32;
        float largest = 0;
        for (std::size_t j = first; j < std::min(first + 32, row.size()); ++j)
            if (std::fabs(row[j]) > std::fabs(largest)) largest = row[j];
        const double scale = nearest(static_cast<double>(largest / -8.0f), 8);
        return scale != 0 ? std::clamp(std::nearbyint(row[i] / static_cast<float>(scale)), -8.0f, 7.0f) * scale : 0.0;
    }
}

} // namespace weight_formats
