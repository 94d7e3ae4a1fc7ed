// SPDX-License-Identifier: Apache-2.0
// The one table of PriorTransformer's parameters: diffusers' names, their shapes, and where each goes in packed memory.
#pragma once

#include "apriori/models/parameter_table.hpp"
#include "apriori/models/prior_config.hpp"

namespace apriori {

/// A place in a model's memory: a packed matrix or a vector. Those from norm1 on exist once per layer.
enum class slot : int {
    frequencies,
    zeros,
    time_1,
    time_1_bias,
    time_2,
    time_2_bias,
    proj_in,
    proj_in_bias,
    embedding_proj_norm,
    embedding_proj_norm_bias,
    embedding_proj,
    embedding_proj_bias,
    text_proj,
    text_proj_bias,
    positions,
    prd,
    norm_in,
    norm_in_bias,
    norm_out,
    norm_out_bias,
    proj_out,
    proj_out_bias,
    clip_mean,
    clip_std,
    norm1,
    block = norm1,
    norm1_bias,
    to_qkv,
    to_qkv_bias,
    to_out,
    to_out_bias,
    norm3,
    norm3_bias,
    ff_in,
    ff_in_bias,
    ff_out,
    ff_out_bias,
    count
};
constexpr std::size_t index_of(slot s) noexcept { return static_cast<std::size_t>(s); }

/// The table of a canonical configuration.
constexpr parameter_table<slot> parameters_of(const PriorConfig& c) {
    const index_t d = c.inner_dim(), e = c.embedding_dim, clip = c.clip_embed_dim;
    parameter_table<slot> t;
    t.layers = c.num_layers;
    if (c.time_embedding) t.add_constant(slot::frequencies, d / 2);
    t.add_constant(slot::zeros, d);
    if (c.time_embedding) {
        t.matrix("time_embedding.linear_1.weight", slot::time_1, c.time_embed_dim, d);
        t.vector("time_embedding.linear_1.bias", slot::time_1_bias, c.time_embed_dim);
        t.matrix("time_embedding.linear_2.weight", slot::time_2, d, c.time_embed_dim);
        t.vector("time_embedding.linear_2.bias", slot::time_2_bias, d);
    }
    t.matrix("proj_in.weight", slot::proj_in, d, e);
    t.vector("proj_in.bias", slot::proj_in_bias, d);
    if (c.embedding_proj_norm_type != norm_type::none)
        t.vector("embedding_proj_norm.weight", slot::embedding_proj_norm, c.embedding_proj_dim);
    if (c.embedding_proj_norm_type == norm_type::layer)
        t.vector("embedding_proj_norm.bias", slot::embedding_proj_norm_bias, c.embedding_proj_dim);
    t.matrix("embedding_proj.weight", slot::embedding_proj, d, c.embedding_proj_dim);
    t.vector("embedding_proj.bias", slot::embedding_proj_bias, d);
    if (c.encoder_hid_proj_type == hid_proj_type::linear) {
        t.matrix("encoder_hidden_states_proj.weight", slot::text_proj, d, e);
        t.vector("encoder_hidden_states_proj.bias", slot::text_proj_bias, d);
    }
    t.add({{}, "positional_embedding", slot::positions, 3, {1, c.positions(), d}});
    if (c.added_emb_type == added_emb::prd) t.add({{}, "prd_embedding", slot::prd, 3, {1, 1, d}});

    const float scale = folded_attention_scale(c.attention_head_dim);
    t.prefix = "transformer_blocks.{}.";
    t.vector("norm1.weight", slot::norm1, d);
    t.vector("norm1.bias", slot::norm1_bias, d);
    t.matrix("attn1.to_q.weight", slot::to_qkv, d, d, 0, scale);
    t.matrix("attn1.to_k.weight", slot::to_qkv, d, d, d);
    t.matrix("attn1.to_v.weight", slot::to_qkv, d, d, 2 * d);
    t.vector("attn1.to_q.bias", slot::to_qkv_bias, d, 0, scale);
    t.vector("attn1.to_k.bias", slot::to_qkv_bias, d, d);
    t.vector("attn1.to_v.bias", slot::to_qkv_bias, d, 2 * d);
    t.matrix("attn1.to_out.0.weight", slot::to_out, d, d);
    t.vector("attn1.to_out.0.bias", slot::to_out_bias, d);
    t.vector("norm3.weight", slot::norm3, d);
    t.vector("norm3.bias", slot::norm3_bias, d);
    t.matrix("ff.net.0.proj.weight", slot::ff_in, 4 * d, d);
    t.vector("ff.net.0.proj.bias", slot::ff_in_bias, 4 * d);
    t.matrix("ff.net.2.weight", slot::ff_out, d, 4 * d);
    t.vector("ff.net.2.bias", slot::ff_out_bias, d);
    t.prefix = {};

    if (c.norm_in_type != norm_type::none) t.vector("norm_in.weight", slot::norm_in, d);
    if (c.norm_in_type == norm_type::layer) t.vector("norm_in.bias", slot::norm_in_bias, d);
    t.vector("norm_out.weight", slot::norm_out, d);
    t.vector("norm_out.bias", slot::norm_out_bias, d);
    t.matrix("proj_to_clip_embeddings.weight", slot::proj_out, clip, d);
    t.vector("proj_to_clip_embeddings.bias", slot::proj_out_bias, clip);
    t.add({{}, "clip_mean", slot::clip_mean, 2, {1, clip}});
    t.add({{}, "clip_std", slot::clip_std, 2, {1, clip}});
    return t;
}

} // namespace apriori
