// SPDX-License-Identifier: Apache-2.0
// Attention of a few rows to keys and values that earlier passes have stored: the basis of exact incremental sampling.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/leaves.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// softmax(scale q k^T) v for Heads heads -> [groups.out_rows, D], D = Heads * d. `own` [rows, 3 D] holds q, k and v
/// side by side.
template <int Heads, class Own>
struct cached_attention_node {
    static_assert(is_view<Own>, "apriori: cached_attention: the operand is a view; assign an expression first");
    using apriori_expression = void;
    static constexpr const char* name = "cached_attention";
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

    template <class Context, class Out>
    constexpr void lower(Context& to, const Out& out) const {
        static_assert(Out::rank == 2 && Out::memory_layout != layout::strided,
                      "apriori: cached_attention: the destination is rows of columns");
        to.run(ops::cached_attention{own.data, own.stride(0), Heads, head_dim, layer, groups, scale, out.data,
                                     out.stride(0)});
    }
};

/// Attention of the rows of `own` in a layer, to their groups' past in that layer and to their groups' own rows.
template <int Heads, class Own>
constexpr auto cached_attention(const Own& own, const attention_groups& groups, index_t layer, float scale) {
    return cached_attention_node<Heads, node_t<Own>>{groups, layer, scale, as_node(own)};
}

} // namespace apriori
APRIORI_END_EXACT_MATH
