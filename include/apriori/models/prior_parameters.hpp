// SPDX-License-Identifier: Apache-2.0
// The table of PriorTransformer's parameters: diffusers' names, their shapes, and their slots in packed memory.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/models/parameter_table.hpp"
#include "apriori/models/prior_config.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The table of a canonical configuration.
constexpr parameter_table parameters_of(const PriorConfig& c) {
    const index_t d = c.inner_dim(), e = c.embedding_dim, clip = c.clip_embed_dim;
    parameter_table t;
    t.layers = c.num_layers;
    if (c.time_embedding) t.add_constant("frequencies", d / 2);
    t.add_constant("zeros", d);
    if (c.time_embedding) {
        t.matrix("time_embedding.linear_1.weight", c.time_embed_dim, d);
        t.vector("time_embedding.linear_1.bias", c.time_embed_dim);
        t.matrix("time_embedding.linear_2.weight", d, c.time_embed_dim);
        t.vector("time_embedding.linear_2.bias", d);
    }
    t.matrix("proj_in.weight", d, e);
    t.vector("proj_in.bias", d);
    if (c.embedding_proj_norm_type != norm_type::none) t.vector("embedding_proj_norm.weight", c.embedding_proj_dim);
    if (c.embedding_proj_norm_type == norm_type::layer) t.vector("embedding_proj_norm.bias", c.embedding_proj_dim);
    t.matrix("embedding_proj.weight", d, c.embedding_proj_dim);
    t.vector("embedding_proj.bias", d);
    if (c.encoder_hid_proj_type == hid_proj_type::linear) {
        t.matrix("encoder_hidden_states_proj.weight", d, e);
        t.vector("encoder_hidden_states_proj.bias", d);
    }
    t.add("positional_embedding", 3, {1, c.positions(), d}).table = true;
    if (c.added_emb_type == added_emb::prd) t.add("prd_embedding", 3, {1, 1, d});

    const float scale = folded_attention_scale(c.attention_head_dim);
    t.prefix = "transformer_blocks.{}.";
    t.vector("norm1.weight", d);
    t.vector("norm1.bias", d);
    t.matrix("attn1.to_q.weight", d, d, {"to_qkv.weight", 0, scale});
    t.matrix("attn1.to_k.weight", d, d, {"to_qkv.weight", d});
    t.matrix("attn1.to_v.weight", d, d, {"to_qkv.weight", 2 * d});
    t.vector("attn1.to_q.bias", d, {"to_qkv.bias", 0, scale});
    t.vector("attn1.to_k.bias", d, {"to_qkv.bias", d});
    t.vector("attn1.to_v.bias", d, {"to_qkv.bias", 2 * d});
    t.matrix("attn1.to_out.0.weight", d, d, {"to_out.weight"});
    t.vector("attn1.to_out.0.bias", d, {"to_out.bias"});
    t.vector("norm3.weight", d);
    t.vector("norm3.bias", d);
    t.matrix("ff.net.0.proj.weight", 4 * d, d, {"ff_in.weight"});
    t.vector("ff.net.0.proj.bias", 4 * d, {"ff_in.bias"});
    t.matrix("ff.net.2.weight", d, 4 * d, {"ff_out.weight"});
    t.vector("ff.net.2.bias", d, {"ff_out.bias"});
    t.prefix = {};

    if (c.norm_in_type != norm_type::none) t.vector("norm_in.weight", d);
    if (c.norm_in_type == norm_type::layer) t.vector("norm_in.bias", d);
    t.vector("norm_out.weight", d);
    t.vector("norm_out.bias", d);
    t.matrix("proj_to_clip_embeddings.weight", clip, d);
    t.vector("proj_to_clip_embeddings.bias", clip);
    t.add("clip_mean", 2, {1, clip});
    t.add("clip_std", 2, {1, clip});
    return t;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
