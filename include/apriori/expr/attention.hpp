// SPDX-License-Identifier: Apache-2.0
// Scaled dot-product attention (Vaswani et al. 2017) as a node, and its biases as an operand.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/elementwise.hpp"
#include "apriori/expr/leaves.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The device's own attention kernel, which keeps the scores to itself. The default processor.
struct fused_attention {
    static constexpr const char* name = "fused";
    using products = float;
};
/// The same with queries, keys, values and weights rounded to bfloat16 when they are multiplied; sums are float32.
/// `cpu` has it. In models whose format rounds activations, fused_attention means this.
struct bfloat16_attention {
    static constexpr const char* name = "fused, bfloat16";
    using products = bfloat16;
};

/// softmax(scale q k^T + bias) v for `Heads` heads -> [rows, Heads * d]. Operands are q, k, v [rows, Heads * d] each,
/// or one [rows, 3 * Heads * d] that holds them side by side. Processor is fused_attention, bfloat16_attention or a
/// composition of expressions (layers/).
template <class Processor, int Heads, class First, class... Rest>
struct attention_node {
    static_assert(sizeof...(Rest) == 0 || sizeof...(Rest) == 2);
    using apriori_expression = void;
    static constexpr const char* name = "attention";
    using first = extents_of<First>;
    static constexpr bool is_fused = requires { typename Processor::products; };
    static constexpr int heads = Heads;
    static constexpr int parts = sizeof...(Rest) == 0 ? 3 : 1;
    static constexpr bool fit = first::rank == 2 && first::fixed(1) % (parts * Heads) == 0;
    static_assert(require_shapes<"attention", first, extents<dyn, parts, Heads, dyn>, fit>::value);
    static_assert((require_shapes < "attention", first, extents_of<Rest>,
                   extents_of<Rest>::fixed(1) == first::fixed(1) > ::value && ...));
    static_assert(std::is_same_v<computed_t<joint_element_t<First, Rest...>>, float>,
                  "apriori: attention: operands are floats: convert them, cast<float>(x)");
    static constexpr index_t width = first::fixed(1) / parts;
    static constexpr index_t head_dim = width / Heads;
    using extents_type = extents<first::fixed(0), width>;
    static constexpr int epilogue_worth = is_fused ? 2 : 0;

    Processor processor;
    attention_rows rows;
    float scale;
    el::pack<First, Rest...> operands;

    /// The assignments of a processor that is not fused are checked one by one.
    constexpr bool spoiled_by(const auto&) const
    requires(!is_fused)
    {
        return false;
    }
    constexpr extents_type ext() const {
        return extents_of_sizes<extents_type>({el::get<0>(operands).ext()[0], width});
    }
    constexpr status check() const {
        const index_t all = rows.count * rows.tokens;
        const auto one = [all](const auto& x) {
            return detail::first_error(
                detail::fitting(x.ext()[0] == all, "attention: rows are not sequences times tokens", x.ext()[0], all),
                check_extents(x));
        };
        return el::unpack([&](const auto&... x) { return detail::first_error(one(x)...); }, operands);
    }

    template <class Context, class Out, class E>
    requires is_fused
    constexpr void lower(Context& to, const Out& out, const E& epilogue) const {
        with_heads(to, [&](const auto& q, const auto& k, const auto& v) {
            to.run(ops::attention<E, typename Processor::products>{q.data, k.data, v.data, q.stride(0), k.stride(0),
                                                                   v.stride(0), Heads, head_dim, rows, scale, epilogue,
                                                                   detail::output_of(out)});
        });
    }
    template <class Context, class Out>
    requires(!is_fused)
    constexpr void lower(Context& to, const Out& out) const {
        with_heads(to, [&](const auto& q, const auto& k, const auto& v) {
            if (to.state) to.check(processor.template run<Heads>(to, q, k, v, rows, scale, out));
        });
    }

private:
    /// Calls body(q, k, v) with the three in memory, with contiguous columns.
    template <class Context, class Body>
    constexpr void with_heads(Context& to, Body&& body) const {
        if constexpr (parts == 1) {
            const auto q = to.rows_in_memory(el::get<0>(operands));
            const auto k = to.rows_in_memory(el::get<1>(operands));
            const auto v = to.rows_in_memory(el::get<2>(operands));
            body(q, k, v);
        } else {
            const auto qkv = to.rows_in_memory(el::get<0>(operands));
            body(slice_view<1, width>(qkv, 0, width), slice_view<1, width>(qkv, width, width),
                 slice_view<1, width>(qkv, 2 * width, width));
        }
    }
};

/// Attention over q, k, v side by side in one expression [rows, 3 * Heads * d].
template <int Heads, class Processor = fused_attention, expression QKV>
constexpr auto self_attention(const QKV& qkv, const attention_rows& rows, float scale, Processor processor = {}) {
    return attention_node<Processor, Heads, node_t<QKV>>{processor, rows, scale, {{as_node(qkv)}}};
}
/// Attention over q, k and v, [rows, Heads * d] each.
template <int Heads, class Processor = fused_attention, expression Q, expression K, expression V>
constexpr auto attention(const Q& q, const K& k, const V& v, const attention_rows& rows, float scale,
                         Processor processor = {}) {
    return attention_node<Processor, Heads, node_t<Q>, node_t<K>, node_t<V>>{
        processor, rows, scale, {{as_node(q)}, {as_node(k)}, {as_node(v)}}};
}

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
    /// Reports no bytes: a mask is small compared with the scores, and a plan is the same with and without it.
    static constexpr void names(name_list& l) { l.add("attention_bias"); }
};

} // namespace el

/// The biases of `rows` as an operand [count, heads, tokens, tokens], for processors that write scores out.
struct attention_bias_node {
    using apriori_expression = void;
    static constexpr const char* name = "attention_bias";
    using extents_type = extents<dyn, dyn, dyn, dyn>;
    static constexpr bool is_leaf = true;
    attention_rows rows;
    index_t heads;

    constexpr extents_type ext() const { return extents_type(rows.count, heads, rows.tokens, rows.tokens); }
    constexpr status check_in(const auto& result) const {
        return detail::fitting(detail::equal_extents(ext(), result),
                               "attention_bias: its extents are not those of the scores", ext().size(), result.size());
    }
    constexpr el::attention_bias program(const auto&) const { return {rows, heads}; }
};
constexpr attention_bias_node attention_bias(const attention_rows& rows, index_t heads) { return {rows, heads}; }

} // namespace apriori
APRIORI_END_EXACT_MATH
