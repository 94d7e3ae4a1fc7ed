// SPDX-License-Identifier: Apache-2.0
// Attention in products of bfloat16 on a matrix unit: as in attention.hpp, with 32 queries at a time.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/formats/bfloat16.hpp"
#include "apriori/expr/ops.hpp"

#include <cmath>
#include <cstring>
#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Attention of one head, with keys and values as panels of words of two elements: keys have a panel for each P keys
/// and words of column pairs, values a panel for each P columns and words of key pairs. Padding is zero.
template <class Arch, class Unit>
class tile_attention {
    using V = value_t<Arch>;
    using layout = tiled_left<Arch, Unit, bfloat16_tiles<1>>;
    using left = bfloat16_rows<Arch, Unit, 1>;
    using format = panel_format<Arch, bf16>;
    using scaled = el::apply<fn::multiply, el::matrix, el::scalar>;
    static constexpr index_t P = blocking<Arch>::panel, L = lanes<V>::count, depth = layout::depth;
    static constexpr index_t rows = 2 * tile_rows; ///< queries at a time
    static constexpr index_t slice = 256;          ///< keys at a time
    static_assert(depth % P == 0 && slice % depth == 0);

public:
    static constexpr index_t bytes(index_t tokens, index_t head_dim) { return parts(tokens, head_dim).end; }
    tile_attention(std::byte* memory, index_t tokens, index_t head_dim) noexcept
        : tokens_(tokens),
          d_(head_dim),
          keys_(memory),
          values_(memory + parts(tokens, head_dim).values),
          queries_(memory + parts(tokens, head_dim).queries),
          sums_(reinterpret_cast<float*>(memory + parts(tokens, head_dim).sums)) {}

    /// Attention for head h of sequence s.
    template <class E>
    void attend(const ops::attention<E, bfloat16>& op, index_t s, index_t h) const noexcept {
        pack_keys(op.k + s * tokens_ * op.k_stride + h * d_, op.k_stride);
        pack_values(op.v + s * tokens_ * op.v_stride + h * d_, op.v_stride);
        for (index_t r = 0; r < tokens_; r += rows) attend_block(op, s, h, r, (std::min)(rows, tokens_ - r));
    }

private:
    struct places {
        index_t values, queries, sums, end;
    };
    static constexpr places parts(index_t tokens, index_t d) {
        places p{};
        p.values = round_up(tokens, depth) / P * format::panel_bytes(d);
        p.queries = p.values + ceil_div(d, P) * format::panel_bytes(tokens);
        p.sums = p.queries + index_t(layout::bytes(rows, d));
        p.end = round_up(p.sums + ceil_div(d, P) * rows * P * 4, index_t{buffer_alignment});
        return p;
    }

    void pack_keys(const float* from, index_t stride) const noexcept {
        for (index_t j = 0; j < round_up(tokens_, depth); ++j)
            for (index_t c = 0; c < d_; c += store_slice)
                format::store(keys_ + j / P * format::panel_bytes(d_), j % P, d_,
                              j < tokens_ ? from + j * stride : nullptr, c);
    }
    void pack_values(const float* from, index_t stride) const noexcept {
        for (index_t p = 0; p < d_; p += P) {
            auto* to = reinterpret_cast<std::uint32_t*>(values_ + p / P * format::panel_bytes(tokens_));
            const index_t columns = (std::min)(d_ - p, P);
            for (index_t j = 0; j < round_up(tokens_, depth); j += 2, to += P) {
                float pair[2][to_size(P)] = {};
                for (index_t i = 0; i < (std::min)(tokens_ - j, index_t{2}); ++i)
                    std::memcpy(pair[i], from + (j + i) * stride + p, to_size(columns) * sizeof(float));
                for (index_t c = 0; c < P; ++c)
                    to[c] = float_to_bfloat16(pair[0][c]) | std::uint32_t{float_to_bfloat16(pair[1][c])} << 16;
            }
        }
    }
    /// Attention for queries r0 .. r0 + m.
    template <class E>
    void attend_block(const ops::attention<E, bfloat16>& op, index_t s, index_t h, index_t r0,
                      index_t m) const noexcept {
        const left queries(queries_, m, d_);
        const el::matrix q{op.q + (s * tokens_ + r0) * op.q_stride + h * d_, row_map{.inner = op.q_stride}};
        queries.fill(ops::mapped<scaled>{{{}, {{q}, {el::scalar{op.scale}}}}}, 0, m);
        const packed<Arch, bf16> keys(keys_, round_up(tokens_, depth), d_);
        alignas(buffer_alignment) float scores[to_size(slice / P)][to_size(rows)][to_size(P)];
        alignas(buffer_alignment) std::byte probability_tiles[rows * slice * 2];
        float max[to_size(rows)], sum[to_size(rows)];
        for (index_t i = 0; i < m; ++i) max[i] = -std::numeric_limits<float>::infinity(), sum[i] = 0.0f;

        for (index_t j0 = 0; j0 < tokens_; j0 += slice) {
            const index_t count = (std::min)(tokens_ - j0, slice), panels = round_up(count, depth) / P;
            for (index_t p = 0; p < panels; ++p) queries.multiply(0, m, keys, j0 / P + p, scores[p][0]);
            const layout probabilities(probability_tiles, m, panels * P);
            for (index_t i = 0; i < m; ++i) {
                for (index_t j = count; j < panels * P; ++j)
                    scores[j / P][i][j % P] = -std::numeric_limits<float>::infinity();
                if (op.sequences.causal || op.sequences.mask != nullptr)
                    for (index_t j = 0; j < count; ++j) scores[j / P][i][j % P] += op.sequences.bias(s, r0 + i, j0 + j);
                V largest = lanes<V>::set(max[i]);
                for (index_t p = 0; p < panels; ++p)
                    for (index_t c = 0; c < P; c += L) largest = fmax(largest, lanes<V>::load(scores[p][i] + c));
                const float top = max_lanes(largest), shrink = std::exp(max[i] - top);
                V total = lanes<V>::set(0.0f);
                for (index_t p = 0; p < panels; ++p) {
                    std::byte* to = probabilities.row_at(i) + p * P / depth * tile_bytes + p * P % depth * 2;
                    for (index_t c = 0; c < P; c += L)
                        total = total + store_rounded(to + 2 * c, exp_of_difference(lanes<V>::load(scores[p][i] + c) -
                                                                                    lanes<V>::set(top)));
                }
                sum[i] = sum[i] * shrink + sum_lanes(total);
                max[i] = top;
                if (j0 > 0)
                    for (index_t p = 0; p < ceil_div(d_, P); ++p)
                        multiply_row<Arch>(sums_ + (p * rows + i) * P, shrink);
            }
            for (index_t p = 0; p < ceil_div(d_, P); ++p)
                probabilities.multiply(0, m, values_ + p * format::panel_bytes(tokens_) + j0 / 2 * P * 4,
                                       sums_ + p * rows * P, j0 > 0);
        }
        for (index_t i = 0; i < m; ++i)
            for (index_t p = 0; p < d_; p += P) {
                float* row = sums_ + p * rows + i * P;
                multiply_row<Arch>(row, 1.0f / sum[i]);
                store_row<V>(op.epilogue, op.out, s * tokens_ + r0 + i, row, h * d_ + p, (std::min)(d_ - p, P));
            }
    }
    index_t tokens_, d_;
    std::byte *keys_, *values_, *queries_;
    float* sums_;
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
