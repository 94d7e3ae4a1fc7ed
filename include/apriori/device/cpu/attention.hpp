// SPDX-License-Identifier: Apache-2.0
// Attention on the CPU. A task is one head of one sequence: keys and values are packed into panels once,
// then blocks of queries pass over tiles of keys with a running softmax (Milakov and Gimelshein 2018), so
// scores never leave the cache.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/contraction.hpp"
#include "apriori/device/cpu/tile_attention.hpp"
#include "apriori/expr/norms.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

template <class Arch>
struct attention_blocks {
    static constexpr int rows = blocking<Arch>::rows, panel = blocking<Arch>::panel;
    static constexpr index_t tile = 256; ///< keys at a time
    static_assert(tile % panel == 0);

    index_t tokens, head_dim;

    constexpr index_t keys() const { return round_up(tokens, panel) * head_dim; } // [panels of keys][head_dim][panel]
    constexpr index_t values() const {
        return round_up(head_dim, panel) * tokens;
    } // [panels of columns][tokens][panel]
    constexpr index_t queries() const { return rows * head_dim; }               // [head_dim][rows]
    constexpr index_t sums() const { return rows * round_up(head_dim, panel); } // [panels of columns][rows][panel]
    constexpr index_t floats() const { return round_up(keys() + values() + queries() + sums(), 16); }
};

/// x rounded to a factor of products of type Products.
template <class Products, class V>
APRIORI_INLINE V factor(V x) noexcept {
    if constexpr (std::is_same_v<Products, bfloat16>)
        return rounded_to_bfloat16(x);
    else
        return x;
}
template <class V, class Products>
void make_factors(float* x, index_t n) noexcept {
    if constexpr (!std::is_same_v<Products, float>)
        for_columns<V>(0, n, [&]<class W>(W, index_t c) { store(x + c, factor<Products>(lanes<W>::load(x + c))); });
}

/// x = exp(x - max) for n elements, rounded to factors of products; returns their sum.
template <class V, class Products>
float exponentials(float* x, index_t n, float max) noexcept {
    V sums = lanes<V>::set(0.0f);
    float rest = 0.0f;
    for_columns<V>(0, n, [&]<class W>(W, index_t c) {
        const W e = factor<Products>(exp_of_difference(lanes<W>::load(x + c) - lanes<W>::set(max)));
        store(x + c, e);
        if constexpr (std::is_same_v<W, V>)
            sums = sums + e;
        else
            rest += e;
    });
    return sum_lanes(sums) + rest;
}

/// The products of 1 .. rows queries with a tile of keys. First scores [M][tile] (+)= interleaved queries times a panel
/// of keys, then sums [M][panel] (+)= scores times a panel of values.
template <class Arch>
inline constexpr auto multiply_keys_of = by_row_count<blocking<Arch>::rows>([]<int M>() -> multiply_block_t {
    return multiply_block<Arch, f32, M, block_steps{1, M, attention_blocks<Arch>::tile}>;
});
template <class Arch>
inline constexpr auto multiply_values_of = by_row_count<blocking<Arch>::rows>([]<int M>() -> multiply_block_t {
    return multiply_block<Arch, f32, M, block_steps{attention_blocks<Arch>::tile, 1, blocking<Arch>::panel}>;
});

/// Attention for queries r0 .. r0 + m of head h of sequence s.
template <class Arch, class E, class Products>
void attend_block(const ops::attention<E, Products>& op, index_t s, index_t h, index_t r0, index_t m, const float* keys,
                  const float* values, float* queries, float* sums) noexcept {
    using V = value_t<Arch>;
    using blocks = attention_blocks<Arch>;
    constexpr int M = blocks::rows, P = blocks::panel;
    constexpr index_t T = blocks::tile;
    const index_t tokens = op.sequences.tokens, d = op.head_dim;
    const auto multiply = [](multiply_block_t kernel, const float* a, const float* b, index_t k, float* tile,
                             bool accumulate) {
        kernel(a, reinterpret_cast<const std::byte*>(b), k, 0, k, tile, accumulate, {});
    };
    const auto with_keys = at(multiply_keys_of<Arch>, m - 1), with_values = at(multiply_values_of<Arch>, m - 1);
    alignas(buffer_alignment) float scores[to_size(M)][to_size(T)];
    float max[to_size(M)], sum[to_size(M)];

    for (index_t i = 0; i < m; ++i) {
        const float* q = op.q + (s * tokens + r0 + i) * op.q_stride + h * d;
        for (index_t c = 0; c < d; ++c) queries[c * m + i] = factor<Products>(q[c] * op.scale);
        max[i] = -std::numeric_limits<float>::infinity();
        sum[i] = 0.0f;
    }
    for (index_t j0 = 0; j0 < tokens; j0 += T) {
        const index_t count = (std::min)(tokens - j0, T);
        for (index_t p = 0; p < count; p += P)
            multiply(with_keys, queries, keys + (j0 + p) * d, d, scores[0] + p, false);
        for (index_t i = 0; i < m; ++i) {
            if (op.sequences.causal || op.sequences.mask != nullptr)
                for (index_t j = 0; j < count; ++j) scores[i][j] += op.sequences.bias(s, r0 + i, j0 + j);
            const auto row = make_program_row<V>(el::vector{scores[i]}, count);
            const float top = fn::fmax(max[i], (row.max)(fn::identity{}));
            const float shrink = std::exp(max[i] - top);
            sum[i] = sum[i] * shrink + exponentials<V, Products>(scores[i], count, top);
            max[i] = top;
            if (j0 > 0)
                for (index_t p = 0; p < round_up(d, P); p += P) multiply_row<Arch>(sums + p * m + i * P, shrink);
        }
        for (index_t p = 0; p < d; p += P)
            multiply(with_values, scores[0], values + p * tokens + j0 * P, count, sums + p * m, j0 > 0);
    }
    for (index_t i = 0; i < m; ++i) {
        const float inverse = 1.0f / sum[i];
        for (index_t p = 0; p < d; p += P) {
            float* row = sums + p * m + i * P;
            multiply_row<Arch>(row, inverse);
            store_row<V>(op.epilogue, op.out, s * tokens + r0 + i, row, h * d + p, std::min<index_t>(d - p, P));
        }
    }
}

/// Attention for head h of sequence s; `memory` holds its keys and values in panels.
template <class Arch, class E, class Products>
void attend_head(const ops::attention<E, Products>& op, index_t s, index_t h, std::byte* memory) noexcept {
    using V = value_t<Arch>;
    constexpr int M = blocking<Arch>::rows;
    const index_t tokens = op.sequences.tokens, d = op.head_dim;
    const attention_blocks<Arch> blocks{tokens, d};
    float* keys = reinterpret_cast<float*>(memory);
    float* values = keys + blocks.keys();
    float* queries = values + blocks.values();
    float* sums = queries + blocks.queries();
    pack_panels<Arch>(keys, op.k + s * tokens * op.k_stride + h * d, op.k_stride, 1, tokens, d);
    pack_panels<Arch>(values, op.v + s * tokens * op.v_stride + h * d, 1, op.v_stride, d, tokens);
    make_factors<V, Products>(keys, blocks.keys() + blocks.values());
    for (index_t r = 0; r < tokens; r += M)
        attend_block<Arch>(op, s, h, r, std::min<index_t>(tokens - r, M), keys, values, queries, sums);
}

/// Bytes of memory for one head.
template <class Arch, class Products>
constexpr index_t attention_bytes(index_t tokens, index_t head_dim) {
    const index_t plain = attention_blocks<Arch>{tokens, head_dim}.floats() * index_t{sizeof(float)};
    if constexpr (std::is_same_v<Products, bfloat16> && has_matrix_unit<Arch>)
        return (std::max)(plain, tile_attention<Arch, matrix_unit<Arch>>::bytes(tokens, head_dim));
    else
        return plain;
}
template <class Arch, class E, class Products>
constexpr std::size_t scratch_bytes(const ops::attention<E, Products>& op) {
    return to_size(op.sequences.count * op.heads * attention_bytes<Arch, Products>(op.sequences.tokens, op.head_dim));
}
template <class Arch, class E, class Products, executor X>
void run(X& x, const ops::attention<E, Products>& op) {
    const index_t tokens = op.sequences.tokens, d = op.head_dim;
    const double cost = operations(4, op.sequences.count, op.heads, d, tokens, tokens);
    const index_t bytes = attention_bytes<Arch, Products>(tokens, d);
    parallel_ranges(x, op.sequences.count * op.heads, cost, [&](index_t first, index_t last) {
        const auto each = [&](const auto& attend) {
            for (index_t task = first; task < last; ++task)
                attend(task / op.heads, task % op.heads, op.scratch + task * bytes);
        };
        if constexpr (std::is_same_v<Products, bfloat16> && has_matrix_unit<Arch>)
            if (matrix_unit<Arch>::available()) {
                const typename matrix_unit<Arch>::session in_use;
                return each([&](index_t s, index_t h, std::byte* memory) {
                    tile_attention<Arch, matrix_unit<Arch>>(memory, tokens, d).attend(op, s, h);
                });
            }
        each([&](index_t s, index_t h, std::byte* memory) { attend_head<Arch>(op, s, h, memory); });
    });
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
