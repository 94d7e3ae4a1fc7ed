// SPDX-License-Identifier: Apache-2.0
// A pre-norm transformer block, self-attention and a feed-forward, each behind a layer norm and added to what came in:
// diffusers' BasicTransformerBlock as PriorTransformer builds it, and transformers' CLIPEncoderLayer.
#pragma once

#include "apriori/expr/lower.hpp"

namespace apriori {

/// The parameters of one block of width Width with `Heads` heads, as operands of expressions. The feed-forward is Hidden
/// wide, with an Activation of expr/functions.
template <int Heads, index_t Width, class Packed, index_t Hidden = 4 * Width, class Activation = fn::gelu>
struct transformer_block {
    template <index_t N>
    using vector = view<const float, extents<N>>;

    vector<Width> norm1_weight{}, norm1_bias{};
    weight<Packed, 3 * Width, Width> to_qkv{}; ///< to_q, to_k and to_v one below the other
    vector<3 * Width> to_qkv_bias{};
    weight<Packed, Width, Width> to_out{};
    vector<Width> to_out_bias{};
    vector<Width> norm3_weight{}, norm3_bias{};
    weight<Packed, Hidden, Width> ff_in{}; ///< ff.net.0.proj
    vector<Hidden> ff_in_bias{};
    weight<Packed, Width, Hidden> ff_out{}; ///< ff.net.2
    vector<Width> ff_out_bias{};
    float eps = 1e-5f; ///< of the layer norms

    /// The block of a layer's weights, which have these names.
    template <class Weights>
    static constexpr transformer_block of(const Weights& w, float eps = 1e-5f) {
        return {w["norm1.weight"_w],
                w["norm1.bias"_w],
                w["to_qkv.weight"_w],
                w["to_qkv.bias"_w],
                w["to_out.weight"_w],
                w["to_out.bias"_w],
                w["norm3.weight"_w],
                w["norm3.bias"_w],
                w["ff_in.weight"_w],
                w["ff_in.bias"_w],
                w["ff_out.weight"_w],
                w["ff_out.bias"_w],
                eps};
    }

    /// The attention half, as an expression of the rows x [rows, Width] that go in.
    template <class X, class Processor>
    constexpr auto attention_half(const X& x, const attention_rows& rows, float scale,
                                  const Processor& processor) const {
        return x +
               linear(self_attention<Heads>(qkv_of(x), rows, scale, processor), to_out, to_out_bias); // [rows, Width]
    }

    /// The feed-forward half, likewise.
    template <class X>
    constexpr auto feed_forward_half(const X& x) const {
        const auto h = elementwise(Activation{}, linear(layer_norm(x, norm3_weight, norm3_bias, eps), ff_in,
                                                        ff_in_bias)); // [rows, Hidden]
        return x + linear(h, ff_out, ff_out_bias);                    // [rows, Width]
    }

    /// q, k and v of rows x [rows, Width], side by side: what attention caches.
    template <class X>
    constexpr auto qkv_of(const X& x) const {
        return linear(layer_norm(x, norm1_weight, norm1_bias, eps), to_qkv, to_qkv_bias); // [rows, 3 * Width]
    }

    /// x [rows, Width] through the block, in place.
    template <class Context, class X, class Processor>
    constexpr void operator()(Context& to, const X& x, const attention_rows& rows, float scale,
                              const Processor& processor) const {
        to(x) = attention_half(x, rows, scale, processor);
        to(x) = feed_forward_half(x);
    }

    /// The block for some of the rows alone, in place: pick(x) gives those of rows x [rows, Width] whose results are wanted. All
    /// of them are attended to.
    template <class Context, class X, class Processor, class Pick>
    constexpr void picked(Context& to, const X& x, const attention_rows& rows, float scale, const Processor& processor,
                          const Pick& pick) const {
        const auto temporaries = to.scope();
        const auto a = to.temporary(extents<dyn, Width>(x.ext()[0])); // [rows, Width]
        to(a) = self_attention<Heads>(qkv_of(x), rows, scale, processor);
        after_attention(to, pick(x), pick(a));
    }

    /// The rows y [groups.out_rows, Width] through the rest of the block, in place: attention over their groups' cached rows
    /// and their own qkv, then the feed-forward.
    template <class Context, class Y, class QKV>
    constexpr void attend_cached(Context& to, const Y& y, const QKV& qkv, const attention_groups& groups, index_t layer,
                                 float scale) const {
        const auto temporaries = to.scope();
        const auto a = to.temporary(extents<dyn, Width>(groups.out_rows)); // [out_rows, Width]
        to(a) = cached_attention<Heads>(qkv, groups, layer, scale);
        after_attention(to, y, a);
    }

private:
    /// Rows y [.., Width] through what follows attention, whose rows are `attended` [.., Width], in place.
    template <class Context, class Y, class A>
    constexpr void after_attention(Context& to, const Y& y, const A& attended) const {
        to(y) = y + linear(attended, to_out, to_out_bias);
        to(y) = feed_forward_half(y);
    }
};

} // namespace apriori
