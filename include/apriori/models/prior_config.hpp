// SPDX-License-Identifier: Apache-2.0
// The hyperparameters of diffusers' PriorTransformer as a structural type, and the named presets.
#pragma once

#include "apriori/models/config_field.hpp"

namespace apriori {

/// time_embed_act_fn: every activation that diffusers' TimestepEmbedding accepts here.
enum class activation { silu, swish = silu, mish, gelu, relu };

/// norm_in_type and embedding_proj_norm_type. `rms` is an extension of ours: diffusers has none and layer.
enum class norm_type { none, layer, rms };

/// encoder_hid_proj_type.
enum class hid_proj_type { none, linear };

/// added_emb_type.
enum class added_emb { none, prd };

/// A dimension that config.json gives as null: the class default, as diffusers' `time_embed_dim or inner_dim` has it.
inline constexpr int none = 0;

/// Fields and defaults of diffusers 0.42.1 `PriorTransformer.__init__`, by the same names; time_embedding is ours.
struct PriorConfig {
    int num_attention_heads = 32;
    int attention_head_dim = 64;
    int num_layers = 20;
    int embedding_dim = 768;
    int num_embeddings = 77;
    int additional_embeddings = 4;
    float dropout = 0.0f; ///< does nothing at inference
    activation time_embed_act_fn = activation::silu;
    norm_type norm_in_type = norm_type::none;
    norm_type embedding_proj_norm_type = norm_type::none;
    hid_proj_type encoder_hid_proj_type = hid_proj_type::linear;
    added_emb added_emb_type = added_emb::prd;
    int time_embed_dim = none;     ///< none: inner_dim()
    int embedding_proj_dim = none; ///< none: embedding_dim
    int clip_embed_dim = none;     ///< none: embedding_dim
    bool time_embedding = true;    ///< false: no time token; noise becomes the answer in one pass (ECLIPSE)

    /// Width of the transformer: num_attention_heads * attention_head_dim.
    constexpr int inner_dim() const noexcept { return num_attention_heads * attention_head_dim; }
    /// Rows of positional_embedding.
    constexpr int positions() const noexcept { return num_embeddings + additional_embeddings; }

    constexpr bool operator==(const PriorConfig&) const = default;
};

/// The one spelling of a configuration: null dimensions written out; dropped what does nothing, as dropout at inference.
/// Configurations that mean the same are the same type through it.
constexpr PriorConfig canonical(PriorConfig c) noexcept {
    c.dropout = 0.0f;
    if (!c.time_embedding) {
        c.time_embed_act_fn = PriorConfig{}.time_embed_act_fn;
        c.time_embed_dim = none;
    }
    if (c.time_embed_dim == none) c.time_embed_dim = c.inner_dim();
    if (c.embedding_proj_dim == none) c.embedding_proj_dim = c.embedding_dim;
    if (c.clip_embed_dim == none) c.clip_embed_dim = c.embedding_dim;
    return c;
}

/// True for a supported configuration; anything else is a compile error that names the field (see config_field).
template <PriorConfig C>
constexpr bool validate() {
    constexpr auto within = [](auto value, auto last) { return static_cast<int>(value) >= 0 && value <= last; };
    return config_field<"num_attention_heads", C.num_attention_heads, "1 or more", (C.num_attention_heads > 0)>::ok &&
           config_field<"attention_head_dim", C.attention_head_dim, "1 or more", (C.attention_head_dim > 0)>::ok &&
           config_field<"num_layers", C.num_layers, "1 or more", (C.num_layers > 0)>::ok &&
           config_field<"embedding_dim", C.embedding_dim, "1 or more", (C.embedding_dim > 0)>::ok &&
           config_field<"num_embeddings", C.num_embeddings, "0 or more", (C.num_embeddings >= 0)>::ok &&
           config_field<"additional_embeddings", C.additional_embeddings, "0 or more",
                        (C.additional_embeddings >= 0)>::ok &&
           config_field<"dropout", real{C.dropout}, "0 to 1", (C.dropout >= 0.0f && C.dropout <= 1.0f)>::ok &&
           config_field<"time_embed_act_fn", C.time_embed_act_fn, "silu (swish), mish, gelu, relu",
                        within(C.time_embed_act_fn, activation::relu)>::ok &&
           config_field<"norm_in_type", C.norm_in_type, "none, layer, rms",
                        within(C.norm_in_type, norm_type::rms)>::ok &&
           config_field<"embedding_proj_norm_type", C.embedding_proj_norm_type, "none, layer, rms",
                        within(C.embedding_proj_norm_type, norm_type::rms)>::ok &&
           config_field<"encoder_hid_proj_type", C.encoder_hid_proj_type, "none, linear",
                        within(C.encoder_hid_proj_type, hid_proj_type::linear)>::ok &&
           config_field<"added_emb_type", C.added_emb_type, "none, prd",
                        within(C.added_emb_type, added_emb::prd)>::ok &&
           config_field<"time_embed_dim", C.time_embed_dim, "none or 1 or more", (C.time_embed_dim >= 0)>::ok &&
           config_field<"embedding_proj_dim", C.embedding_proj_dim, "none or 1 or more",
                        (C.embedding_proj_dim >= 0)>::ok &&
           config_field<"clip_embed_dim", C.clip_embed_dim, "none or 1 or more", (C.clip_embed_dim >= 0)>::ok &&
           config_field<"time_embedding", C.time_embedding, "true, or false with added_emb_type prd",
                        (C.time_embedding || C.added_emb_type == added_emb::prd)>::ok;
}

/// The configurations of published models.
namespace presets {
inline constexpr PriorConfig karlo_v1_alpha{};
inline constexpr PriorConfig kandinsky_2_1{};
inline constexpr PriorConfig stable_unclip{};
inline constexpr PriorConfig kandinsky_2_2{.embedding_dim = 1280};
inline constexpr PriorConfig shap_e{.num_attention_heads = 16,
                                    .num_layers = 24,
                                    .embedding_dim = 1024,
                                    .num_embeddings = 1024,
                                    .additional_embeddings = 0,
                                    .time_embed_act_fn = activation::gelu,
                                    .norm_in_type = norm_type::layer,
                                    .encoder_hid_proj_type = hid_proj_type::none,
                                    .added_emb_type = added_emb::none,
                                    .time_embed_dim = 4096,
                                    .embedding_proj_dim = 768,
                                    .clip_embed_dim = 2048};
inline constexpr PriorConfig shap_e_img2img{.num_attention_heads = 8,
                                            .attention_head_dim = 128,
                                            .num_layers = 24,
                                            .embedding_dim = 1024,
                                            .num_embeddings = 1024,
                                            .additional_embeddings = 0,
                                            .time_embed_act_fn = activation::gelu,
                                            .norm_in_type = norm_type::layer,
                                            .embedding_proj_norm_type = norm_type::layer,
                                            .encoder_hid_proj_type = hid_proj_type::none,
                                            .added_emb_type = added_emb::none,
                                            .time_embed_dim = 4096,
                                            .embedding_proj_dim = 1024,
                                            .clip_embed_dim = 2048};
/// The trained miniature in examples/digits.
inline constexpr PriorConfig digits{
    .num_attention_heads = 4, .attention_head_dim = 32, .num_layers = 4, .embedding_dim = 64, .num_embeddings = 16};
} // namespace presets

} // namespace apriori
