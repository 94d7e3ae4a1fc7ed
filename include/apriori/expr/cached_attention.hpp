// SPDX-License-Identifier: Apache-2.0
// Attention of a few rows over keys and values that earlier passes left: what exact incremental sampling runs on.
#pragma once

#include "apriori/expr/concepts.hpp"

#include <cstdint>

namespace apriori {

/// Rows that an earlier pass left, [layers][rows][3 D] with q, k and v side by side; the q is not read.
struct cached_rows {
    const float* p = nullptr; ///< the first of them in layer 0
    index_t count = 0;
    index_t layer_stride = 0; ///< in elements
};

/// One group of rows that belong together. Queries first_query .. first_query + queries are among the group's own rows,
/// which begin at first_row; their results are rows first_out .. of the output. Each query sees all of its past, and of
/// its own group the rows up to itself (causal) or itself alone.
struct attention_group {
    index_t first_row = 0;
    index_t first_query = 0, queries = 0;
    index_t first_out = 0;
    cached_rows past[2]{};
};

/// Groups in the device's memory, and what they hold in all.
struct attention_groups {
    const attention_group* groups = nullptr;
    index_t count = 0;
    index_t max_keys = 0;    ///< past and own keys of any query, at most
    index_t out_rows = 0;    ///< queries of all groups
    std::int64_t scores = 0; ///< queries times keys over all groups: for plans
    bool causal = true;      ///< false: of its own group a query sees itself alone
};

/// softmax(scale q k^T) v for Heads heads. `own` [rows, 3 D] holds q, k and v side by side, D = Heads * d.
template <int Heads, class Own>
struct cached_attention_node {
    static_assert(is_view<Own>, "apriori: cached_attention: the operand is a view; assign an expression first");
    using apriori_expression = void;
    static constexpr index_t width3 = extents_of<Own>::fixed(1);
    static_assert(require_shapes < "cached_attention", extents_of<Own>, extents<dyn, 3, Heads, dyn>,
                  extents_of<Own>::rank == 2 && width3 % (3 * Heads) == 0 > ::value);
    static constexpr int heads = Heads;
    static constexpr index_t head_dim = width3 / 3 / Heads;
    using extents_type = extents<dyn, width3 / 3>;

    attention_groups groups;
    index_t layer;
    float scale;
    Own own;

    constexpr extents_type ext() const { return extents_type(groups.out_rows); }
};

/// Attention of the rows of `own` in a layer, over their groups' past in that layer and their own.
template <int Heads, class Own>
constexpr auto cached_attention(const Own& own, const attention_groups& groups, index_t layer, float scale) {
    return cached_attention_node<Heads, node_t<Own>>{groups, layer, scale, as_node(own)};
}

namespace ops {

/// Row r of own lies at own + r * stride, row r of a group's past at past.p + layer * layer_stride + r * stride.
struct cached_attention {
    const float* own;
    index_t stride;
    index_t heads, head_dim, layer;
    attention_groups groups;
    float scale;
    float* out; ///< [out_rows, heads * head_dim], a row every out_stride
    index_t out_stride;
    std::byte* scratch = nullptr;
};

} // namespace ops

} // namespace apriori
