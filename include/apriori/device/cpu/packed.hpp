// SPDX-License-Identifier: Apache-2.0
// Packed weights of the CPU: panels of outputs, [k][panel] floats each, so that a kernel reads them front to back.
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/device/cpu/blocking.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstddef>
#include <span>

namespace apriori {

/// A weight matrix [n, k] in panels: element (j, i) lies in panel j / P at i * P + j % P. The last panel ends in zeros.
template <class Arch, class Format>
struct cpu_packed;

template <class Arch>
struct cpu_packed<Arch, f32> {
    static constexpr int panel = blocking<Arch>::panel;

    const float* data = nullptr;
    index_t n = 0, k = 0;

    constexpr cpu_packed() = default;
    cpu_packed(std::byte* p, index_t n, index_t k) : data(reinterpret_cast<const float*>(p)), n(n), k(k) {}

    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return static_cast<std::size_t>(
            round_up(padded_outputs<Arch>(n) * k * 4, static_cast<index_t>(buffer_alignment)));
    }
    const float* panel_at(index_t p) const noexcept { return data + p * panel * k; }
};

/// Panels from a matrix of outputs by depth with any strides, into `to`; outputs past n are zeros.
template <class Arch>
inline void pack_panels(float* to, const float* from, index_t output_stride, index_t depth_stride, index_t n,
                        index_t k) noexcept {
    constexpr int P = blocking<Arch>::panel;
    for (index_t first = 0; first < n; first += P) {
        const index_t count = n - first < P ? n - first : P;
        for (index_t i = 0; i < k; ++i, to += P) {
            const float* column = from + first * output_stride + i * depth_stride;
            for (index_t j = 0; j < count; ++j) to[j] = column[j * output_stride];
            for (index_t j = count; j < P; ++j) to[j] = 0.0f;
        }
    }
}

/// Rows first .. of w from float32 [count, k]; the last of them come with the zeros that end the last panel.
template <class Arch>
inline status pack_rows(cpu_packed<Arch, f32> w, index_t first, std::span<const float> rows) noexcept {
    constexpr int P = blocking<Arch>::panel;
    const index_t count = static_cast<index_t>(rows.size()) / w.k;
    if (first < 0 || first + count > w.n || count * w.k != static_cast<index_t>(rows.size()))
        return status::shape("pack: rows past the end of the matrix, or not whole ones", first + count, w.n);
    float* data = const_cast<float*>(w.data);
    for (index_t r = 0; r < count; ++r) {
        const index_t j = first + r;
        float* to = data + j / P * P * w.k + j % P;
        const float* from = rows.data() + r * w.k;
        for (index_t i = 0; i < w.k; ++i) to[i * P] = from[i];
    }
    if (first + count == w.n)
        for (index_t j = w.n; j < padded_outputs<Arch>(w.n); ++j)
            for (index_t i = 0; i < w.k; ++i) data[j / P * P * w.k + i * P + j % P] = 0.0f;
    return {};
}

} // namespace apriori
