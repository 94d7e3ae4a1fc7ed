// SPDX-License-Identifier: Apache-2.0
// diffusers' BasicTransformerBlock as PriorTransformer builds it: self-attention and a GELU feed-forward, each behind a
// layer norm and added to what came in.
#pragma once

#include "apriori/expr/lower.hpp"

namespace apriori {

/// The parameters of one block of width Width with `Heads` heads, as operands of expressions.
template <int Heads, index_t Width, class Packed>
struct transformer_block {
    template <index_t N>
    using vector = view<const float, extents<N>>;

    vector<Width> norm1_weight{}, norm1_bias{};
    weight<Packed, 3 * Width, Width> to_qkv{}; ///< to_q, to_k and to_v one below the other
    vector<3 * Width> to_qkv_bias{};
    weight<Packed, Width, Width> to_out{};
    vector<Width> to_out_bias{};
    vector<Width> norm3_weight{}, norm3_bias{};
    weight<Packed, 4 * Width, Width> ff_in{}; ///< ff.net.0.proj
    vector<4 * Width> ff_in_bias{};
    weight<Packed, Width, 4 * Width> ff_out{}; ///< ff.net.2
    vector<Width> ff_out_bias{};

    /// The attention half, as an expression of the rows x [rows, Width] that go in.
    template <class X, class Processor>
    constexpr auto attention_half(const X& x, const attention_rows& rows, float scale,
                                  const Processor& processor) const {
        const auto qkv = linear(layer_norm(x, norm1_weight, norm1_bias), to_qkv, to_qkv_bias);      // [rows, 3 * Width]
        return x + linear(self_attention<Heads>(qkv, rows, scale, processor), to_out, to_out_bias); // [rows, Width]
    }

    /// The feed-forward half, likewise.
    template <class X>
    constexpr auto feed_forward_half(const X& x) const {
        const auto h = gelu(linear(layer_norm(x, norm3_weight, norm3_bias), ff_in, ff_in_bias)); // [rows, 4 * Width]
        return x + linear(h, ff_out, ff_out_bias);                                               // [rows, Width]
    }

    /// x [rows, Width] through the block, in place.
    template <class Context, class X, class Processor>
    constexpr status operator()(Context& ctx, const X& x, const attention_rows& rows, float scale,
                                const Processor& processor) const {
        if (const status s = ctx.assign(x, attention_half(x, rows, scale, processor)); !s.ok()) return s;
        return ctx.assign(x, feed_forward_half(x));
    }
};

} // namespace apriori
