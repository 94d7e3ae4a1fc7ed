// SPDX-License-Identifier: Apache-2.0
// The hyperparameters of CLIP's two encoders (Radford et al. 2021) as structural types, and the named presets.
#pragma once

#include "apriori/models/config_field.hpp"

namespace apriori {

/// hidden_act.
enum class clip_activation { quick_gelu, gelu };

/// Fields and defaults of transformers 5.23 `CLIPTextConfig`, by the same names; those that change nothing at inference
/// (dropouts, initialisation, bos and pad ids) are left out.
struct CLIPTextConfig {
    int vocab_size = 49408;
    int hidden_size = 512;
    int intermediate_size = 2048;
    int projection_dim = 512; ///< 0: CLIPTextModel, which has no projection
    int num_hidden_layers = 12;
    int num_attention_heads = 8;
    int max_position_embeddings = 77;
    clip_activation hidden_act = clip_activation::quick_gelu;
    float layer_norm_eps = 1e-5f;
    int eos_token_id = 49407; ///< pooled at the first of these; 2, in old files: at the largest id

    constexpr int head_dim() const noexcept { return hidden_size / num_attention_heads; }
    /// Width of what is pooled.
    constexpr int output_dim() const noexcept { return projection_dim > 0 ? projection_dim : hidden_size; }

    constexpr bool operator==(const CLIPTextConfig&) const = default;
};

/// The same of `CLIPVisionConfig`.
struct CLIPVisionConfig {
    int hidden_size = 768;
    int intermediate_size = 3072;
    int projection_dim = 512; ///< 0: CLIPVisionModel, which has no projection
    int num_hidden_layers = 12;
    int num_attention_heads = 12;
    int num_channels = 3;
    int image_size = 224;
    int patch_size = 32;
    clip_activation hidden_act = clip_activation::quick_gelu;
    float layer_norm_eps = 1e-5f;

    constexpr int head_dim() const noexcept { return hidden_size / num_attention_heads; }
    constexpr int output_dim() const noexcept { return projection_dim > 0 ? projection_dim : hidden_size; }
    /// Patches along an edge; pixels that do not fill one are not seen.
    constexpr int grid() const noexcept { return image_size / patch_size; }
    /// The class token and the patches.
    constexpr int tokens() const noexcept { return grid() * grid() + 1; }

    constexpr bool operator==(const CLIPVisionConfig&) const = default;
};

/// The configuration of CLIPTextModel and CLIPVisionModel.
constexpr CLIPTextConfig without_projection(CLIPTextConfig c) noexcept {
    c.projection_dim = 0;
    return c;
}
constexpr CLIPVisionConfig without_projection(CLIPVisionConfig c) noexcept {
    c.projection_dim = 0;
    return c;
}

constexpr CLIPTextConfig canonical(const CLIPTextConfig& c) noexcept { return c; }
constexpr CLIPVisionConfig canonical(const CLIPVisionConfig& c) noexcept { return c; }

namespace detail {

/// What both encoders ask of a configuration.
template <auto C>
constexpr bool validate_clip() {
    return config_field<"num_attention_heads", C.num_attention_heads, "1 or more", (C.num_attention_heads > 0)>::ok &&
           config_field<"hidden_size", C.hidden_size, "a multiple of num_attention_heads",
                        (C.hidden_size > 0 && C.hidden_size % C.num_attention_heads == 0)>::ok &&
           config_field<"intermediate_size", C.intermediate_size, "1 or more", (C.intermediate_size > 0)>::ok &&
           config_field<"projection_dim", C.projection_dim, "0 (none) or more", (C.projection_dim >= 0)>::ok &&
           config_field<"num_hidden_layers", C.num_hidden_layers, "1 or more", (C.num_hidden_layers > 0)>::ok &&
           config_field<"hidden_act", C.hidden_act, "quick_gelu, gelu",
                        (C.hidden_act == clip_activation::quick_gelu || C.hidden_act == clip_activation::gelu)>::ok &&
           config_field<"layer_norm_eps", real{C.layer_norm_eps}, "above 0", (C.layer_norm_eps > 0)>::ok;
}

} // namespace detail

/// True for a supported configuration; anything else is a compile error that names the field (see config_field).
template <CLIPTextConfig C>
constexpr bool validate_text() {
    return detail::validate_clip<C>() &&
           config_field<"vocab_size", C.vocab_size, "1 or more", (C.vocab_size > 0)>::ok &&
           config_field<"max_position_embeddings", C.max_position_embeddings, "1 or more",
                        (C.max_position_embeddings > 0)>::ok;
}
template <CLIPVisionConfig C>
constexpr bool validate_vision() {
    return detail::validate_clip<C>() &&
           config_field<"num_channels", C.num_channels, "1 or more", (C.num_channels > 0)>::ok &&
           config_field<"patch_size", C.patch_size, "1 or more", (C.patch_size > 0)>::ok &&
           config_field<"image_size", C.image_size, "patch_size or more", (C.image_size >= C.patch_size)>::ok;
}

/// The configurations of published models.
namespace presets {
/// OpenAI's ViT-L/14: the text encoder of Karlo and Stable unCLIP's prior.
inline constexpr CLIPTextConfig clip_vit_l_14{
    .hidden_size = 768, .intermediate_size = 3072, .projection_dim = 768, .num_attention_heads = 12};
/// LAION's ViT-bigG/14: the text encoder of Kandinsky 2.2's prior.
inline constexpr CLIPTextConfig clip_vit_big_g_14{.hidden_size = 1280,
                                                  .intermediate_size = 5120,
                                                  .projection_dim = 1280,
                                                  .num_hidden_layers = 32,
                                                  .num_attention_heads = 20,
                                                  .hidden_act = clip_activation::gelu};
/// The text encoder of examples/digits.
inline constexpr CLIPTextConfig digits_text{.vocab_size = 611,
                                            .hidden_size = 64,
                                            .intermediate_size = 256,
                                            .projection_dim = 64,
                                            .num_hidden_layers = 2,
                                            .num_attention_heads = 4,
                                            .max_position_embeddings = 16,
                                            .eos_token_id = 610};
/// The image encoders beside them.
inline constexpr CLIPVisionConfig clip_vit_l_14_vision{.hidden_size = 1024,
                                                       .intermediate_size = 4096,
                                                       .projection_dim = 768,
                                                       .num_hidden_layers = 24,
                                                       .num_attention_heads = 16,
                                                       .patch_size = 14};
inline constexpr CLIPVisionConfig clip_vit_big_g_14_vision{.hidden_size = 1664,
                                                           .intermediate_size = 8192,
                                                           .projection_dim = 1280,
                                                           .num_hidden_layers = 48,
                                                           .num_attention_heads = 16,
                                                           .patch_size = 14,
                                                           .hidden_act = clip_activation::gelu};
} // namespace presets

} // namespace apriori
