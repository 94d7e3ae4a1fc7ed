// SPDX-License-Identifier: Apache-2.0
// Attention processors as in diffusers: how attention is computed, chosen by a type. fused_attention
// (expr/attention.hpp) is the device's own kernel; the ones here are written as expressions, as a user's would be.
//
// A processor has
//     static constexpr const char* name;
//     template <int Heads> constexpr status run(to, q, k, v, rows, scale, out) const;
// where q, k, v and out are views [rows, Heads * d] and `to` is a context to assign with, whose state it returns.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/lower.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The rows [count * tokens, Heads * d] of a view as [count, Heads, tokens, d].
template <int Heads, class T, class E, layout L>
constexpr auto heads_first(const view<T, E, L>& x, const attention_rows& rows) {
    constexpr index_t d = E::fixed(1) / Heads;
    using result = view<T, extents<dyn, Heads, dyn, d>, layout::rows>;
    return result(x.data, extents<dyn, Heads, dyn, d>(rows.count, rows.tokens),
                  {rows.tokens * x.stride(0), d, x.stride(0), 1});
}

/// softmax(scale q k^T + bias) v with the scores of all heads in memory, [count, Heads, tokens, tokens].
struct plain_attention {
    static constexpr const char* name = "plain";

    template <int Heads, class Context, class Q, class K, class V, class Out>
    constexpr status run(Context& to, const Q& q, const K& k, const V& v, const attention_rows& rows, float scale,
                         const Out& out) const {
        const auto temporaries = to.scope();
        const auto queries = heads_first<Heads>(q, rows); // [B, H, T, d]
        const auto keys = heads_first<Heads>(k, rows);    // [B, H, T, d]
        const auto values = heads_first<Heads>(v, rows);  // [B, H, T, d]
        const auto scores =
            to.temporary(extents<dyn, Heads, dyn, dyn>(rows.count, rows.tokens, rows.tokens)); // [B, H, T, T]
        to(scores) = matmul(queries, transpose<2, 3>(keys)) * scale + attention_bias(rows, Heads);
        to(scores) = softmax(scores);
        to(heads_first<Heads>(out, rows)) = matmul(scores, values);
        return to.state;
    }
};

/// plain_attention for `Slice` heads at a time, like diffusers' SlicedAttnProcessor: the scores take Slice / Heads of
/// the memory.
template <int Slice>
struct sliced_attention {
    static_assert(Slice > 0, "apriori: sliced_attention: a slice has at least one head");
    static constexpr const char* name = "sliced";

    template <int Heads, class Context, class Q, class K, class V, class Out>
    constexpr status run(Context& to, const Q& q, const K& k, const V& v, const attention_rows& rows, float scale,
                         const Out& out) const {
        constexpr int size = Slice < Heads ? Slice : Heads, rest = Heads % size;
        constexpr index_t d = extents_of<Q>::fixed(1) / Heads;
        const auto some = [&]<int Count>(std::integral_constant<int, Count>, int first) {
            const auto heads = [first](const auto& x) { return slice_view<1, Count * d>(x, first * d, Count * d); };
            to.check(plain_attention{}.template run<Count>(to, heads(q), heads(k), heads(v), rows, scale, heads(out)));
        };
        for (int first = 0; first + size <= Heads; first += size) some(std::integral_constant<int, size>{}, first);
        if constexpr (rest != 0) some(std::integral_constant<int, rest>{}, Heads - rest);
        return to.state;
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
