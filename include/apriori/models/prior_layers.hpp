// SPDX-License-Identifier: Apache-2.0
// The pieces of PriorTransformer as expressions of their inputs: what its forward and its incremental passes are made of.
#pragma once

#include "apriori/layers/timestep_embedding.hpp"
#include "apriori/layers/transformer_block.hpp"
#include "apriori/models/packed_operands.hpp"
#include "apriori/models/prior_parameters.hpp"

namespace apriori {

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

/// The pieces over a model's weights. W is packed_operands of a canonical configuration.
template <PriorConfig C, class W>
struct prior_layers {
    static constexpr index_t inner = C.inner_dim();
    static constexpr index_t text_width = C.encoder_hid_proj_type == hid_proj_type::linear ? C.embedding_dim : inner;

    /// What attention scores are multiplied by, where packing has not done it.
    static constexpr float scale = remaining_attention_scale(C.attention_head_dim);

    W w{};

    /// Text x [.., text_width] -> [.., inner].
    template <class X>
    constexpr auto text_rows(const X& x) const {
        if constexpr (C.encoder_hid_proj_type == hid_proj_type::linear)
            return linear(x, w["encoder_hidden_states_proj.weight"_w], w["encoder_hidden_states_proj.bias"_w]);
        else
            return as_node(x);
    }
    /// Pooled conditions x [.., embedding_proj_dim] -> [.., inner].
    template <class X>
    constexpr auto pooled_rows(const X& x) const {
        return linear(norm_of<C.embedding_proj_norm_type, "embedding_proj_norm">(x), w["embedding_proj.weight"_w],
                      w["embedding_proj.bias"_w]);
    }
    /// Latents x [.., embedding_dim] -> [.., inner].
    template <class X>
    constexpr auto latent_rows(const X& x) const {
        return linear(x, w["proj_in.weight"_w], w["proj_in.bias"_w]);
    }
    /// Rows x [.., inner] behind the last block -> [.., clip_embed_dim].
    template <class X>
    constexpr auto answer_rows(const X& x) const {
        return linear(layer_norm(x, w["norm_out.weight"_w], w["norm_out.bias"_w]),
                      w["proj_to_clip_embeddings.weight"_w], w["proj_to_clip_embeddings.bias"_w]);
    }
    /// out [rows, inner] = the embedding of timesteps t [rows, 1], plus `position`.
    template <class Context, class Out, class T, class Position>
    constexpr void embed_time(Context& to, const Out& out, const T& t, const Position& position) const {
        const auto temporaries = to.scope();
        const auto waves = to.temporary(extents<dyn, inner>(t.ext()[0])); // [rows, inner]
        embed_timesteps(to, waves, t, w["frequencies"_w]);
        const auto h =
            activation_of<C.time_embed_act_fn>(linear(waves, w["time_embedding.linear_1.weight"_w],
                                                      w["time_embedding.linear_1.bias"_w])); // [rows, time_embed_dim]
        to(out) = linear(h, w["time_embedding.linear_2.weight"_w], w["time_embedding.linear_2.bias"_w]) + position;
    }
    /// x [rows, inner] through norm_in, in place, where the model has one.
    template <class Context, class X>
    constexpr void norm_in(Context& to, const X& x) const {
        if constexpr (C.norm_in_type != norm_type::none) to(x) = norm_of<C.norm_in_type, "norm_in">(x);
    }
    constexpr auto block(int i) const {
        return transformer_block<C.num_attention_heads, inner, typename W::packed>::of(w.layer(i));
    }

private:
    /// x, or the norm of that name of it.
    template <norm_type Type, fixed_string Name, class X>
    constexpr auto norm_of(const X& x) const {
        if constexpr (Type == norm_type::layer)
            return layer_norm(x, w[weight_name<Name + ".weight">{}], w[weight_name<Name + ".bias">{}]);
        else if constexpr (Type == norm_type::rms)
            return rms_norm(x, w[weight_name<Name + ".weight">{}]);
        else
            return as_node(x);
    }
};

/// Element i of a constant beside the weights: the frequencies of the timestep embedding, and zeros.
inline float constant_of(const PriorConfig& c, std::string_view slot, index_t i) {
    return slot == "frequencies" ? timestep_frequency(i, c.inner_dim() / 2) : 0.0f;
}

} // namespace apriori
