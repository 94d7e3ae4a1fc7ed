// SPDX-License-Identifier: Apache-2.0
// Weights in float32.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/packed.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Panels of floats [k][panel].
template <class Arch>
struct panel_format<Arch, f32> {
    using V = value_t<Arch>;
    using left = interleaved_rows<Arch>;
    static constexpr index_t P = blocking<Arch>::panel;
    static constexpr int N = blocking<Arch>::vectors;

    static constexpr index_t panel_bytes(index_t k) { return k * P * 4; }
    static void store_scale(std::byte*, index_t, index_t, const float*) noexcept {}
    static void store(std::byte* panel, index_t j, index_t k, const float* row, index_t k0) noexcept {
        float* to = reinterpret_cast<float*>(panel) + j;
        for (index_t i = k0; i < (std::min)(k0 + store_slice, k); ++i) to[i * P] = row ? row[i] : 0.0f;
    }
    template <class Body>
    static APRIORI_INLINE void multiply(const std::byte* panel, index_t, index_t k0, index_t k1, block_turn block,
                                        Body&& body) noexcept {
        const float* p = reinterpret_cast<const float*>(panel) + k0 * P;
        slice_prefetch ahead(p, k1 - k0, P * 4, block);
        for (index_t i = k0; i < k1; ++i, p += P) {
            ahead.advance();
            V w[to_size(N)];
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) w[n] = lanes<V>::load(p + n * lanes<V>::count);
            body(w);
        }
    }
    static void finish(const std::byte*, index_t, float*, index_t) noexcept {}
};

/// Packs a matrix of outputs by inputs with any strides into panels of floats at `to`; outputs past n are zeros.
template <class Arch>
void pack_panels(float* to, const float* from, index_t output_stride, index_t input_stride, index_t n,
                 index_t k) noexcept {
    constexpr index_t P = blocking<Arch>::panel;
    for (index_t first = 0; first < n; first += P) {
        const index_t count = (std::min)(n - first, P);
        for (index_t i = 0; i < k; ++i, to += P) {
            const float* column = from + first * output_stride + i * input_stride;
            for (index_t j = 0; j < count; ++j) to[j] = column[j * output_stride];
            for (index_t j = count; j < P; ++j) to[j] = 0.0f;
        }
    }
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
