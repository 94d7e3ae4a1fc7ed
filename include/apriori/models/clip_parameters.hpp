// SPDX-License-Identifier: Apache-2.0
// The tables of CLIP's parameters: transformers' names, their shapes, and where each goes in packed memory.
#pragma once

#include "apriori/models/clip_config.hpp"
#include "apriori/models/parameter_table.hpp"

namespace apriori {

/// A place in an encoder's memory. Those from norm1 on exist once per layer.
enum class clip_slot : int {
    tokens,          ///< text: token_embedding [vocab_size, hidden_size]
    patches,         ///< vision: patch_embedding
    class_token,     ///< vision: class_embedding
    positions,       ///< position_embedding
    pre_norm,        ///< vision: pre_layrnorm
    pre_norm_bias,   //
    final_norm,      ///< text: final_layer_norm; vision: post_layernorm
    final_norm_bias, //
    projection,      ///< text_projection or visual_projection
    norm1,
    block = norm1,
    norm1_bias,
    to_qkv,
    to_qkv_bias,
    to_out,
    to_out_bias,
    norm3, ///< layer_norm2: named as in the other models
    norm3_bias,
    ff_in,
    ff_in_bias,
    ff_out,
    ff_out_bias,
    count
};

namespace detail {

template <class Config>
constexpr void add_clip_layers(parameter_table<clip_slot>& t, const Config& c) {
    const index_t d = c.hidden_size, h = c.intermediate_size;
    const float scale = folded_attention_scale(c.head_dim());
    t.layers = c.num_hidden_layers;
    t.vector("layer_norm1.weight", clip_slot::norm1, d);
    t.vector("layer_norm1.bias", clip_slot::norm1_bias, d);
    t.matrix("self_attn.q_proj.weight", clip_slot::to_qkv, d, d, 0, scale);
    t.matrix("self_attn.k_proj.weight", clip_slot::to_qkv, d, d, d);
    t.matrix("self_attn.v_proj.weight", clip_slot::to_qkv, d, d, 2 * d);
    t.vector("self_attn.q_proj.bias", clip_slot::to_qkv_bias, d, 0, scale);
    t.vector("self_attn.k_proj.bias", clip_slot::to_qkv_bias, d, d);
    t.vector("self_attn.v_proj.bias", clip_slot::to_qkv_bias, d, 2 * d);
    t.matrix("self_attn.out_proj.weight", clip_slot::to_out, d, d);
    t.vector("self_attn.out_proj.bias", clip_slot::to_out_bias, d);
    t.vector("layer_norm2.weight", clip_slot::norm3, d);
    t.vector("layer_norm2.bias", clip_slot::norm3_bias, d);
    t.matrix("mlp.fc1.weight", clip_slot::ff_in, h, d);
    t.vector("mlp.fc1.bias", clip_slot::ff_in_bias, h);
    t.matrix("mlp.fc2.weight", clip_slot::ff_out, d, h);
    t.vector("mlp.fc2.bias", clip_slot::ff_out_bias, d);
}

} // namespace detail

/// The table of CLIPTextModelWithProjection, or of CLIPTextModel.
constexpr parameter_table<clip_slot> parameters_of(const CLIPTextConfig& c) {
    const index_t d = c.hidden_size;
    parameter_table<clip_slot> t;
    t.prefix = "text_model.";
    t.add({{}, "embeddings.token_embedding.weight", clip_slot::tokens, 2, {c.vocab_size, d}});
    t.add({{}, "embeddings.position_embedding.weight", clip_slot::positions, 2, {c.max_position_embeddings, d}});
    t.prefix = "text_model.encoder.layers.{}.";
    detail::add_clip_layers(t, c);
    t.prefix = "text_model.";
    t.vector("final_layer_norm.weight", clip_slot::final_norm, d);
    t.vector("final_layer_norm.bias", clip_slot::final_norm_bias, d);
    t.prefix = {};
    if (c.projection_dim > 0) t.matrix("text_projection.weight", clip_slot::projection, c.projection_dim, d);
    return t;
}

/// The table of CLIPVisionModelWithProjection, or of CLIPVisionModel.
constexpr parameter_table<clip_slot> parameters_of(const CLIPVisionConfig& c) {
    const index_t d = c.hidden_size;
    parameter_table<clip_slot> t;
    t.prefix = "vision_model.";
    t.vector("embeddings.class_embedding", clip_slot::class_token, d);
    t.add({{},
           "embeddings.patch_embedding.weight",
           clip_slot::patches,
           4,
           {d, c.num_channels, c.patch_size, c.patch_size},
           true});
    t.add({{}, "embeddings.position_embedding.weight", clip_slot::positions, 2, {c.tokens(), d}});
    t.vector("pre_layrnorm.weight", clip_slot::pre_norm, d); // so spelt in transformers
    t.vector("pre_layrnorm.bias", clip_slot::pre_norm_bias, d);
    t.prefix = "vision_model.encoder.layers.{}.";
    detail::add_clip_layers(t, c);
    t.prefix = "vision_model.";
    t.vector("post_layernorm.weight", clip_slot::final_norm, d);
    t.vector("post_layernorm.bias", clip_slot::final_norm_bias, d);
    t.prefix = {};
    if (c.projection_dim > 0) t.matrix("visual_projection.weight", clip_slot::projection, c.projection_dim, d);
    return t;
}

} // namespace apriori
