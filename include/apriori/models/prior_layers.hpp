// SPDX-License-Identifier: Apache-2.0
// The parts of PriorTransformer as expressions, which its forward and its incremental passes are made of.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/layers/timestep_embedding.hpp"
#include "apriori/layers/transformer_block.hpp"
#include "apriori/models/packed_operands.hpp"
#include "apriori/models/prior_parameters.hpp"

APRIORI_BEGIN_EXACT_MATH
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

/// The parts over a model's weights. W is packed_operands of a canonical configuration.
template <PriorConfig C, class W>
struct prior_layers {
    static constexpr index_t inner = C.inner_dim();
    static constexpr index_t text_width = C.encoder_hid_proj_type == hid_proj_type::linear ? C.embedding_dim : inner;

    /// The factor that attention scores are still multiplied by after packing.
    static constexpr float scale = remaining_attention_scale(C.attention_head_dim);

    W w{};

    /// Text x [.., text_width] -> [.., inner].
    constexpr auto text_rows(const auto& x) const {
        if constexpr (C.encoder_hid_proj_type == hid_proj_type::linear)
            return w.linear("encoder_hidden_states_proj"_w, x);
        else
            return as_node(x);
    }
    /// Pooled conditions x [.., embedding_proj_dim] -> [.., inner].
    constexpr auto pooled_rows(const auto& x) const {
        return w.linear("embedding_proj"_w, norm_of<C.embedding_proj_norm_type>("embedding_proj_norm"_w, x));
    }
    /// Latents x [.., embedding_dim] -> [.., inner].
    constexpr auto latent_rows(const auto& x) const { return w.linear("proj_in"_w, x); }
    /// Rows x [.., inner] after the last block -> [.., clip_embed_dim].
    constexpr auto answer_rows(const auto& x) const {
        return w.linear("proj_to_clip_embeddings"_w, w.layer_norm("norm_out"_w, x));
    }
    /// out [rows, inner] = the embedding of timesteps t [rows, 1], plus `position`.
    template <class Context, class Out, class T, class Position>
    constexpr void embed_time(Context& to, const Out& out, const T& t, const Position& position) const {
        const auto temporaries = to.scope();
        const auto waves = to.temporary(extents<dyn, inner>(t.ext()[0])); // [rows, inner]
        embed_timesteps(to, waves, t, w["frequencies"_w]);
        const auto h = w.linear("time_embedding.linear_1"_w, waves); // [rows, time_embed_dim]
        to(out) = w.linear("time_embedding.linear_2"_w, activation_of<C.time_embed_act_fn>(h)) + position;
    }
    /// Applies norm_in to x [rows, inner] in place, if the model has it.
    template <class Context, class X>
    constexpr void norm_in(Context& to, const X& x) const {
        if constexpr (C.norm_in_type != norm_type::none) to(x) = norm_of<C.norm_in_type>("norm_in"_w, x);
    }
    constexpr auto block(int i) const { return transformer_block<C.num_attention_heads, inner, W>{w.layer(i)}; }

private:
    /// x, or its norm with the weights of that name.
    template <norm_type Type, class Name, class X>
    constexpr auto norm_of(Name name, const X& x) const {
        if constexpr (Type == norm_type::layer)
            return w.layer_norm(name, x);
        else if constexpr (Type == norm_type::rms)
            return w.rms_norm(name, x);
        else
            return as_node(x);
    }
};

/// Element i of n of a constant stored with a prior's weights: the frequencies of the timestep embedding, or zeros.
inline float constant_of(const PriorConfig&, std::string_view slot, index_t i, index_t n) {
    return slot == "frequencies" ? timestep_frequency(i, n) : 0.0f;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
