// SPDX-License-Identifier: Apache-2.0
// The pieces of PriorTransformer as expressions of their inputs: what its forward and its incremental passes are made of.
#pragma once

#include "apriori/layers/timestep_embedding.hpp"
#include "apriori/layers/transformer_block.hpp"
#include "apriori/models/block_operands.hpp"
#include "apriori/models/prior_operands.hpp"

namespace apriori::detail {

/// x, or a norm of it.
template <norm_type Type, class X, class G, class B>
constexpr auto norm_of(const X& x, const G& g, const B& b) {
    if constexpr (Type == norm_type::layer)
        return layer_norm(x, g, b);
    else if constexpr (Type == norm_type::rms)
        return rms_norm(x, g);
    else
        return as_node(x);
}

template <activation F, class X>
constexpr auto activation_of(const X& x) {
    if constexpr (F == activation::silu)
        return silu(x);
    else if constexpr (F == activation::mish)
        return mish(x);
    else if constexpr (F == activation::gelu)
        return gelu(x);
    else
        return relu(x);
}

template <PriorConfig C, class Packed>
struct prior_layers {
    using operands = prior_operands<C, Packed>;
    static constexpr index_t inner = C.inner_dim();
    static constexpr index_t text_width = C.encoder_hid_proj_type == hid_proj_type::linear ? C.embedding_dim : inner;

    /// What attention scores are multiplied by, where packing has not done it.
    static constexpr float scale = remaining_attention_scale(C.attention_head_dim);

    /// Text x [.., text_width] -> [.., inner].
    template <class X>
    static constexpr auto text_rows(const operands& w, const X& x) {
        if constexpr (C.encoder_hid_proj_type == hid_proj_type::linear)
            return linear(x, w.template matrix<slot::text_proj>(), w.template vector<slot::text_proj_bias>());
        else
            return as_node(x);
    }
    /// Pooled conditions x [.., embedding_proj_dim] -> [.., inner].
    template <class X>
    static constexpr auto pooled_rows(const operands& w, const X& x) {
        const auto pooled = norm_of<C.embedding_proj_norm_type>(x, w.template vector<slot::embedding_proj_norm>(),
                                                                w.template vector<slot::embedding_proj_norm_bias>());
        return linear(pooled, w.template matrix<slot::embedding_proj>(),
                      w.template vector<slot::embedding_proj_bias>());
    }
    /// Latents x [.., embedding_dim] -> [.., inner].
    template <class X>
    static constexpr auto latent_rows(const operands& w, const X& x) {
        return linear(x, w.template matrix<slot::proj_in>(), w.template vector<slot::proj_in_bias>());
    }
    /// Rows x [.., inner] behind the last block -> [.., clip_embed_dim].
    template <class X>
    static constexpr auto answer_rows(const operands& w, const X& x) {
        return linear(layer_norm(x, w.template vector<slot::norm_out>(), w.template vector<slot::norm_out_bias>()),
                      w.template matrix<slot::proj_out>(), w.template vector<slot::proj_out_bias>());
    }
    /// out [rows, inner] = the embedding of timesteps t [rows, 1], plus `position`.
    template <class Context, class Out, class T, class Position>
    static constexpr status embed_time(Context& ctx, const operands& w, const Out& out, const T& t,
                                       const Position& position) {
        workspace::scope s(ctx.memory);
        const auto waves = ctx.temporary(extents<dyn, inner>(t.ext()[0])); // [rows, inner]
        if (const status r = embed_timesteps(ctx, waves, t, w.template vector<slot::frequencies>()); !r.ok()) return r;
        const auto h = activation_of<C.time_embed_act_fn>(
            linear(waves, w.template matrix<slot::time_1>(),
                   w.template vector<slot::time_1_bias>())); // [rows, time_embed_dim]
        return ctx.assign(out, linear(h, w.template matrix<slot::time_2>(), w.template vector<slot::time_2_bias>()) +
                                   position);
    }
    /// x [rows, inner] through norm_in, in place, where the model has one.
    template <class Context, class X>
    static constexpr status norm_in(Context& ctx, const operands& w, const X& x) {
        if constexpr (C.norm_in_type == norm_type::none)
            return {};
        else
            return ctx.assign(x, norm_of<C.norm_in_type>(x, w.template vector<slot::norm_in>(),
                                                         w.template vector<slot::norm_in_bias>()));
    }
    static constexpr auto block(const operands& w, int i) {
        return block_operands<transformer_block<C.num_attention_heads, inner, Packed>, slot>(w, i);
    }
    /// positional_embedding [positions, inner].
    static constexpr auto position_table(const operands& w) {
        const auto table = w.template vector<slot::positions>();
        return view<const float, extents<dyn, inner>>(table.data, extents<dyn, inner>(C.positions()));
    }
};

} // namespace apriori::detail
