// SPDX-License-Identifier: Apache-2.0
// Scaled dot-product attention (Vaswani et al. 2017) as a node, and who attends to whom.
#pragma once

#include "apriori/expr/elementwise.hpp"

#include <cstdint>

namespace apriori {

/// Which rows attend to which. Rows come in `count` sequences of `tokens` rows each; a row sees its own sequence.
/// Scores get diffusers' additive biases: mask_bias where mask[s, j] is 0 (j < masked; the keys from `masked` on are
/// never masked), and mask_bias where `causal` and j > i.
struct attention_rows {
    static constexpr float mask_bias = -10000.0f;

    index_t count = 1;
    index_t tokens = 1;
    const std::uint8_t* mask = nullptr; ///< [count, masked], 1: seen; null: all are
    index_t masked = 0;
    bool causal = false;

    /// Bias of query i and key j of sequence s.
    APRIORI_HD constexpr float bias(index_t s, index_t i, index_t j) const noexcept {
        float b = causal && j > i ? mask_bias : 0.0f;
        if (mask != nullptr && j < masked && mask[s * masked + j] == 0) b += mask_bias;
        return b;
    }
};

/// The device's own attention kernel: scores never leave it. The default processor.
struct fused_attention {
    static constexpr const char* name = "fused";
};

/// softmax(scale q k^T + bias) v for `Heads` heads. Operands are q, k, v [rows, Heads * d] each, or one [rows, 3 * Heads * d]
/// that holds them side by side. Processor is fused_attention or a composition of expressions (layers/).
template <class Processor, int Heads, class... X>
struct attention_node {
    static_assert(sizeof...(X) == 1 || sizeof...(X) == 3);
    using apriori_expression = void;
    using first = extents_of<std::tuple_element_t<0, std::tuple<X...>>>;
    static constexpr int heads = Heads;
    static constexpr int parts = sizeof...(X) == 1 ? 3 : 1;
    static constexpr bool fit = first::rank == 2 && first::fixed(1) % (parts * Heads) == 0;
    static_assert((require_shapes < "attention", first, extents_of<X>,
                   fit&& extents_of<X>::fixed(1) == first::fixed(1) > ::value && ...));
    static constexpr index_t width = first::fixed(1) / parts;
    static constexpr index_t head_dim = width / Heads;
    using extents_type = extents<first::fixed(0), width>;

    Processor processor;
    attention_rows rows;
    float scale;
    std::tuple<X...> operands;

    constexpr extents_type ext() const {
        return extents_of_sizes<extents_type>({std::get<0>(operands).ext()[0], width});
    }
};

/// Attention over q, k, v side by side in one expression [rows, 3 * Heads * d].
template <int Heads, class Processor = fused_attention, expression QKV>
constexpr auto self_attention(const QKV& qkv, const attention_rows& rows, float scale, Processor processor = {}) {
    return attention_node<Processor, Heads, node_t<QKV>>{processor, rows, scale, {as_node(qkv)}};
}
/// Attention over q, k and v, [rows, Heads * d] each.
template <int Heads, class Processor = fused_attention, expression Q, expression K, expression V>
constexpr auto attention(const Q& q, const K& k, const V& v, const attention_rows& rows, float scale,
                         Processor processor = {}) {
    return attention_node<Processor, Heads, node_t<Q>, node_t<K>, node_t<V>>{
        processor, rows, scale, {as_node(q), as_node(k), as_node(v)}};
}

/// The biases of `rows` as an operand [count, heads, tokens, tokens], for processors that write scores out.
struct attention_bias_node {
    using apriori_expression = void;
    using extents_type = extents<dyn, dyn, dyn, dyn>;
    attention_rows rows;
    index_t heads;
    constexpr extents_type ext() const { return extents_type(rows.count, heads, rows.tokens, rows.tokens); }
};
constexpr attention_bias_node attention_bias(const attention_rows& rows, index_t heads) { return {rows, heads}; }

namespace el {
/// Row (s, h, i) and column j of attention_bias_node.
struct attention_bias {
    struct cursor {
        const attention_rows* rows;
        index_t s, i;
        template <class V>
        APRIORI_HD V at(index_t c, V) const noexcept {
            float b[lanes<V>::count];
            for (int l = 0; l < lanes<V>::count; ++l) b[l] = rows->bias(s, i, c + l);
            return lanes<V>::load(b);
        }
    };
    attention_rows rows{};
    index_t heads = 1;
    APRIORI_HD cursor row(index_t r) const noexcept { return {&rows, r / (rows.tokens * heads), r % rows.tokens}; }
};
} // namespace el

} // namespace apriori
