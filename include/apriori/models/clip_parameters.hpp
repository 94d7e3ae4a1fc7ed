// SPDX-License-Identifier: Apache-2.0
// The tables of CLIP's parameters: transformers' names, their shapes, and their slots in packed memory.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/models/clip_config.hpp"
#include "apriori/models/parameter_table.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

constexpr void add_clip_layers(parameter_table& t, const auto& c) {
    const index_t d = c.hidden_size, h = c.intermediate_size;
    const float scale = folded_attention_scale(c.head_dim());
    t.layers = c.num_hidden_layers;
    t.vector("layer_norm1.weight", d, {"norm1.weight"});
    t.vector("layer_norm1.bias", d, {"norm1.bias"});
    t.matrix("self_attn.q_proj.weight", d, d, {"to_qkv.weight", 0, scale});
    t.matrix("self_attn.k_proj.weight", d, d, {"to_qkv.weight", d});
    t.matrix("self_attn.v_proj.weight", d, d, {"to_qkv.weight", 2 * d});
    t.vector("self_attn.q_proj.bias", d, {"to_qkv.bias", 0, scale});
    t.vector("self_attn.k_proj.bias", d, {"to_qkv.bias", d});
    t.vector("self_attn.v_proj.bias", d, {"to_qkv.bias", 2 * d});
    t.matrix("self_attn.out_proj.weight", d, d, {"to_out.weight"});
    t.vector("self_attn.out_proj.bias", d, {"to_out.bias"});
    t.vector("layer_norm2.weight", d, {"norm3.weight"}); // the block's name for it
    t.vector("layer_norm2.bias", d, {"norm3.bias"});
    t.matrix("mlp.fc1.weight", h, d, {"ff_in.weight"});
    t.vector("mlp.fc1.bias", h, {"ff_in.bias"});
    t.matrix("mlp.fc2.weight", d, h, {"ff_out.weight"});
    t.vector("mlp.fc2.bias", d, {"ff_out.bias"});
}

} // namespace detail

/// The table of CLIPTextModelWithProjection, or of CLIPTextModel.
constexpr parameter_table parameters_of(const CLIPTextConfig& c) {
    const index_t d = c.hidden_size;
    parameter_table t;
    t.prefix = "text_model.";
    parameter& tokens = t.add("embeddings.token_embedding.weight", 2, {c.vocab_size, d});
    tokens.table = tokens.grows = true;
    t.add("embeddings.position_embedding.weight", 2, {c.max_position_embeddings, d}).table = true;
    t.prefix = "text_model.encoder.layers.{}.";
    detail::add_clip_layers(t, c);
    t.prefix = "text_model.";
    t.vector("final_layer_norm.weight", d);
    t.vector("final_layer_norm.bias", d);
    t.prefix = {};
    if (c.projection_dim > 0) t.matrix("text_projection.weight", c.projection_dim, d);
    return t;
}

/// The table of CLIPVisionModelWithProjection, or of CLIPVisionModel.
constexpr parameter_table parameters_of(const CLIPVisionConfig& c) {
    const index_t d = c.hidden_size;
    parameter_table t;
    t.prefix = "vision_model.";
    t.vector("embeddings.class_embedding", d);
    t.add("embeddings.patch_embedding.weight", 4, {d, c.num_channels, c.patch_size, c.patch_size}).packed = true;
    t.add("embeddings.position_embedding.weight", 2, {c.tokens(), d}).table = true;
    t.vector("pre_layrnorm.weight", d); // transformers' spelling
    t.vector("pre_layrnorm.bias", d);
    t.prefix = "vision_model.encoder.layers.{}.";
    detail::add_clip_layers(t, c);
    t.prefix = "vision_model.";
    t.vector("post_layernorm.weight", d);
    t.vector("post_layernorm.bias", d);
    t.prefix = {};
    if (c.projection_dim > 0) t.matrix("visual_projection.weight", c.projection_dim, d);
    return t;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
