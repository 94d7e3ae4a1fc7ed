// SPDX-License-Identifier: Apache-2.0
// The hyperparameters of CLIP's two encoders (Radford et al. 2021) as structural types, and
// presets of published models.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/models/config_error.hpp"

#include <array>
#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The activation of the feed-forward layers, hidden_act.
enum class clip_activation { quick_gelu, gelu };
inline constexpr spelling clip_activation_spellings[] = {{"quick_gelu", clip_activation::quick_gelu},
                                                         {"gelu", clip_activation::gelu}};

namespace detail {

/// The fields that both encoders have, followed by `own`.
template <class c, class... Own>
constexpr auto clip_fields(const Own&... own) noexcept {
    using f = field<c>;
    return std::array{f::template integer<&c::hidden_size>("hidden_size", 1),
                      f::template integer<&c::intermediate_size>("intermediate_size", 1),
                      f::template integer_or_null<&c::projection_dim>("projection_dim"),
                      f::template integer<&c::num_hidden_layers>("num_hidden_layers", 1, 4096),
                      f::template integer<&c::num_attention_heads>("num_attention_heads", 1),
                      f::template choice<&c::hidden_act>("hidden_act", clip_activation_spellings),
                      f::template real<&c::layer_norm_eps>("layer_norm_eps", "1e-30", "1.0"),
                      f::only("quantization_config", "null"), // otherwise the weights are not the model's numbers
                      own...};
}

constexpr status check_heads(const auto& c) noexcept {
    if (c.hidden_size % c.num_attention_heads == 0) return {};
    return status::invalid("hidden_size must be a multiple of num_attention_heads", c.hidden_size,
                           c.num_attention_heads);
}

/// Whether `architectures` names the class without a projection.
constexpr bool names_plain_class(const json_token& architectures) noexcept {
    return architectures.is(json_kind::array) && architectures.text.find("WithProjection") == std::string_view::npos;
}

} // namespace detail

/// Fields and defaults of transformers 5.23 `CLIPTextConfig`, under the same names. Those that change nothing at
/// inference (dropouts, initialisation, bos and pad ids) are left out.
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
    int eos_token_id = 49407; ///< the first of these is pooled; 2, in old files: the largest id is pooled

    constexpr int head_dim() const noexcept { return hidden_size / num_attention_heads; }
    /// The width of the pooled embedding.
    constexpr int output_dim() const noexcept { return projection_dim > 0 ? projection_dim : hidden_size; }

    static constexpr const char* class_name = "CLIPTextModel";
    static constexpr std::string_view parts_of_clip_model[] = {"text_config_dict", "text_config"};
    static constexpr other_fields others = other_fields::ignored;
    static constexpr auto fields() noexcept {
        using c = CLIPTextConfig;
        using f = field<c>;
        return detail::clip_fields<c>(
            f::integer<&c::vocab_size>("vocab_size", 1, 1 << 24),
            f::integer<&c::max_position_embeddings>("max_position_embeddings", 1),
            f::integer<&c::eos_token_id>("eos_token_id", 0, 1 << 24), f::only("model_type", "\"clip_text_model\""),
            f::only("architectures", R"(["CLIPTextModel"], ["CLIPTextModelWithProjection"], null)"));
    }
    constexpr status together() const noexcept { return detail::check_heads(*this); }
    /// Files of the class without a projection have the field, too.
    constexpr void infer(const auto& json) noexcept {
        if (detail::names_plain_class(json("architectures"))) projection_dim = 0;
    }

    constexpr bool operator==(const CLIPTextConfig&) const = default;
};

/// The same for `CLIPVisionConfig`.
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
    /// The width of the pooled embedding.
    constexpr int output_dim() const noexcept { return projection_dim > 0 ? projection_dim : hidden_size; }
    /// Patches along an edge; pixels that do not fill a patch are ignored.
    constexpr int grid() const noexcept { return image_size / patch_size; }
    /// The number of tokens: the class token and the patches.
    constexpr int tokens() const noexcept { return grid() * grid() + 1; }

    static constexpr const char* class_name = "CLIPVisionModel";
    static constexpr std::string_view parts_of_clip_model[] = {"vision_config_dict", "vision_config"};
    static constexpr other_fields others = other_fields::ignored;
    static constexpr auto fields() noexcept {
        using c = CLIPVisionConfig;
        using f = field<c>;
        return detail::clip_fields<c>(
            f::integer<&c::num_channels>("num_channels", 1, 4096), f::integer<&c::image_size>("image_size", 1, 1 << 15),
            f::integer<&c::patch_size>("patch_size", 1, 1 << 15), f::only("model_type", "\"clip_vision_model\""),
            f::only("architectures", R"(["CLIPVisionModel"], ["CLIPVisionModelWithProjection"], null)"));
    }
    constexpr status together() const noexcept {
        if (image_size < patch_size)
            return status::invalid("image_size must be patch_size or more", image_size, patch_size);
        return detail::check_heads(*this);
    }
    /// Files of the class without a projection have the field, too.
    constexpr void infer(const auto& json) noexcept {
        if (detail::names_plain_class(json("architectures"))) projection_dim = 0;
    }

    constexpr bool operator==(const CLIPVisionConfig&) const = default;
};

/// The same configuration for CLIPTextModel and CLIPVisionModel.
constexpr CLIPTextConfig without_projection(CLIPTextConfig c) noexcept {
    c.projection_dim = 0;
    return c;
}
constexpr CLIPVisionConfig without_projection(CLIPVisionConfig c) noexcept {
    c.projection_dim = 0;
    return c;
}

/// The form in which configurations are compared. In files from before transformers 4.31 eos_token_id is 2, which
/// means the largest id: with CLIP's vocabulary, whose last token is the end mark that the tokenizer appends to
/// every text, the model is the same.
constexpr CLIPTextConfig meaning_of(CLIPTextConfig c) noexcept {
    if (c.eos_token_id == 2) c.eos_token_id = c.vocab_size - 1;
    return c;
}
constexpr CLIPVisionConfig meaning_of(const CLIPVisionConfig& c) noexcept { return c; }

/// The form in which the configuration of a file is compared with that of a type. A larger vocabulary has tokens that
/// were added for textual inversion: more rows of a table, in the same model. Only if the end mark is the largest id
/// (eos_token_id 2) do added tokens change which token is pooled.
constexpr CLIPTextConfig meaning_of(CLIPTextConfig file, const CLIPTextConfig& type) noexcept {
    if (file.vocab_size <= type.vocab_size) return meaning_of(file);
    file.vocab_size = type.vocab_size;
    return type.eos_token_id == 2 ? meaning_of(file) : file;
}
constexpr CLIPVisionConfig meaning_of(const CLIPVisionConfig& file, const CLIPVisionConfig&) noexcept { return file; }

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
/// The image encoders that belong to them.
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
APRIORI_END_EXACT_MATH
