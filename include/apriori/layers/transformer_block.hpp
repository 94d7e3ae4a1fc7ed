// SPDX-License-Identifier: Apache-2.0
// A pre-norm transformer block: self-attention and a feed-forward, each after a layer norm and added to its input. It
// is diffusers' BasicTransformerBlock as PriorTransformer builds it, and transformers' CLIPEncoderLayer.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/lower.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// One block of width Width with `Heads` heads and an Activation of expr/functions.hpp. The weights of its layer
/// (models/packed_operands.hpp) are called
///   norm1, to_qkv, to_out   in the attention half; to_qkv has the rows of to_q, then to_k, then to_v
///   norm3, ff_in, ff_out    in the feed-forward half: ff.net.0.proj and ff.net.2
template <int Heads, index_t Width, class Weights, class Activation = fn::gelu>
struct transformer_block {
    Weights w;
    float eps = 1e-5f; ///< of the layer norms

    /// The attention half, as an expression of the input rows x [rows, Width].
    constexpr auto attention_half(const auto& x, const attention_rows& rows, float scale, const auto& processor) const {
        return x + w.linear("to_out"_w,
                            self_attention<Heads>(qkv_of(x), rows, scale, in_format(processor))); // [rows, Width]
    }

    /// The feed-forward half, likewise.
    constexpr auto feed_forward_half(const auto& x) const {
        const auto h =
            elementwise(Activation{}, w.linear("ff_in"_w, w.layer_norm("norm3"_w, x, eps))); // [rows, Hidden]
        return x + w.linear("ff_out"_w, h);                                                  // [rows, Width]
    }

    /// q, k and v of rows x [rows, Width], side by side: what attention caches.
    constexpr auto qkv_of(const auto& x) const {
        return w.linear("to_qkv"_w, w.layer_norm("norm1"_w, x, eps)); // [rows, 3 * Width]
    }

    /// x [rows, Width] through the block, in place.
    template <class Context, class X, class Processor>
    constexpr void operator()(Context& to, const X& x, const attention_rows& rows, float scale,
                              const Processor& processor) const {
        to(x) = attention_half(x, rows, scale, processor);
        to(x) = feed_forward_half(x);
    }

    /// The block for only some of the rows, in place: pick(x) returns those of the rows x [rows, Width] whose results
    /// are needed. They attend to all rows.
    template <class Context, class X, class Processor, class Pick>
    constexpr void picked(Context& to, const X& x, const attention_rows& rows, float scale, const Processor& processor,
                          const Pick& pick) const {
        const auto temporaries = to.scope();
        const auto a = to.temporary(extents<dyn, Width>(x.ext()[0])); // [rows, Width]
        to(a) = self_attention<Heads>(qkv_of(x), rows, scale, in_format(processor));
        after_attention(to, pick(x), pick(a));
    }

    /// Runs the rows y [groups.out_rows, Width] through the rest of the block, in place: attention to their groups'
    /// cached rows and their own qkv, then the feed-forward.
    template <class Context, class Y, class QKV>
    constexpr void attend_cached(Context& to, const Y& y, const QKV& qkv, const attention_groups& groups, index_t layer,
                                 float scale) const {
        const auto temporaries = to.scope();
        const auto a = to.temporary(extents<dyn, Width>(groups.out_rows)); // [out_rows, Width]
        to(a) = cached_attention<Heads>(qkv, groups, layer, scale);
        after_attention(to, y, a);
    }

    /// Runs rows y [.., Width] through what follows attention, in place; `attended` [.., Width] is its result.
    template <class Context, class Y, class A>
    constexpr void after_attention(Context& to, const Y& y, const A& attended) const {
        to(y) = y + w.linear("to_out"_w, attended);
        to(y) = feed_forward_half(y);
    }

private:
    /// The device's own kernel in the precision of the weights' format; any other processor unchanged.
    template <class Processor>
    static constexpr auto in_format(const Processor& processor) {
        if constexpr (std::is_same_v<Processor, fused_attention> &&
                      requires { typename Weights::packed::weight_format::products; })
            return bfloat16_attention{};
        else
            return processor;
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
