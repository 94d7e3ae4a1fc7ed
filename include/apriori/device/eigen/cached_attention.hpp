// SPDX-License-Identifier: Apache-2.0
// Attention over rows that earlier passes cached: the keys of a query are copied one after the
// other, then it is plain attention.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/eigen/contraction.hpp"
#include "apriori/expr/cached_attention.hpp"
#include "apriori/expr/norms.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::eigen_device {

/// The rows of keys (part 1) or values (part 2) of head h that query `query` of a group
/// attends to: the past, then its own.
inline value seen(const ops::cached_attention& op, const attention_group& g, index_t query, index_t h, index_t part) {
    const index_t d = op.head_dim, width = op.heads * d, column = (part - 1) * width + h * d; // after the first key
    const index_t first_own = op.groups.causal ? g.first_row : query, own = query - first_own + 1;
    matrix m(g.past[0].count + g.past[1].count + own, d);
    float* to = m.data();
    const auto append = [&](const float* keys, index_t count, index_t stride) {
        for (index_t r = 0; r < count; ++r, to += d) std::copy_n(keys + r * stride + column, d, to);
    };
    for (const cached_rows& past : g.past)
        if (past.count > 0) append(past.row(op.layer, 0), past.count, past.stride);
    append(op.own + first_own * op.stride + width, own, op.stride);
    return value(std::move(m));
}

inline void run(const executor& on, const ops::cached_attention& op) {
    const index_t d = op.head_dim;
    for (index_t i = 0; i < op.groups.count; ++i) {
        const attention_group g = op.groups.group(i);
        for (index_t q = 0; q < g.queries; ++q)
            for (index_t h = 0; h < op.heads; ++h) {
                const index_t query = g.first_query + q;
                const value keys = seen(op, g, query, h, 1), values = seen(op, g, query, h, 2);
                const value scores =
                    product(on, const_matrix_map(op.own + query * op.stride + h * d, 1, d), keys.map());
                matrix scaled(1, keys.rows());
                scaled.device(on) = scores.map() * op.scale;
                const value weights = normalized(on, norms::softmax{}, value(std::move(scaled)));
                const value values_transposed = gather(on, values.data(), d, values.rows(), 1, d);
                const value y = product(on, weights.map(), values_transposed.map());
                std::copy_n(y.data(), d, op.out + (g.first_out + q) * op.out_stride + h * d);
            }
    }
}

} // namespace apriori::eigen_device
APRIORI_END_EXACT_MATH
