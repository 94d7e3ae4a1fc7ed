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

    /// The rows y [groups.out_rows, Width] through the rest of the block, in place: attention over their groups' cached rows
    /// and their own qkv, then the feed-forward.
    template <class Context, class Y, class QKV>
    constexpr status attend_cached(Context& ctx, const Y& y, const QKV& qkv, const attention_groups& groups,
                                   index_t layer, float scale) const {
        workspace::scope s(ctx.memory);
        const auto a = ctx.temporary(extents<dyn, Width>(groups.out_rows)); // [out_rows, Width]
        if (const status r = ctx.assign(a, cached_attention<Heads>(qkv, groups, layer, scale)); !r.ok()) return r;
        return after_attention(ctx, y, a);
    }

    /// The block for some of the rows alone, in place: pick(x) gives those of rows x [rows, Width] whose results are wanted. All
    /// of them are attended to.
    template <class Context, class X, class Processor, class Pick>
    constexpr status picked(Context& ctx, const X& x, const attention_rows& rows, float scale,
                            const Processor& processor, const Pick& pick) const {
        workspace::scope s(ctx.memory);
        const auto a = ctx.temporary(extents<dyn, Width>(x.ext()[0])); // [rows, Width]
        if (const status r = ctx.assign(a, self_attention<Heads>(qkv_of(x), rows, scale, processor)); !r.ok()) return r;
        return after_attention(ctx, pick(x), pick(a));
    }

    /// x [rows, Width] through the block, in place.
    template <class Context, class X, class Processor>
    constexpr status operator()(Context& ctx, const X& x, const attention_rows& rows, float scale,
                                const Processor& processor) const {
        if (const status s = ctx.assign(x, attention_half(x, rows, scale, processor)); !s.ok()) return s;
        return ctx.assign(x, feed_forward_half(x));
    }

private:
    /// Rows y [.., Width] through what follows attention, whose rows are `attended` [.., Width], in place.
    template <class Context, class Y, class A>
    constexpr status after_attention(Context& ctx, const Y& y, const A& attended) const {
        if (const status r = ctx.assign(y, y + linear(attended, to_out, to_out_bias)); !r.ok()) return r;
        return ctx.assign(y, feed_forward_half(y));
    }
};

} // namespace apriori
