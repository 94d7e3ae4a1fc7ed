// SPDX-License-Identifier: Apache-2.0
// The hyperparameters of diffusers' PriorTransformer as a structural type, and presets of published models.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/models/config_error.hpp"

#include <array>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// time_embed_act_fn: every activation that diffusers' TimestepEmbedding accepts.
enum class activation { silu, swish = silu, mish, gelu, relu };
inline constexpr spelling activation_spellings[] = {{"silu", activation::silu},
                                                    {"swish", activation::swish},
                                                    {"mish", activation::mish},
                                                    {"gelu", activation::gelu},
                                                    {"relu", activation::relu}};

/// norm_in_type and embedding_proj_norm_type. `rms` is an extension; diffusers has only none and layer.
enum class norm_type { none, layer, rms };
inline constexpr spelling norm_spellings[] = {
    {nullptr, norm_type::none}, {"layer", norm_type::layer}, {"rms", norm_type::rms}};

/// encoder_hid_proj_type.
enum class hid_proj_type { none, linear };
inline constexpr spelling hid_proj_spellings[] = {{nullptr, hid_proj_type::none}, {"linear", hid_proj_type::linear}};

/// added_emb_type.
enum class added_emb { none, prd };
inline constexpr spelling added_emb_spellings[] = {{nullptr, added_emb::none}, {"prd", added_emb::prd}};

/// A dimension that is null in config.json: the class default, as in diffusers' `time_embed_dim or inner_dim`.
inline constexpr int null_dim = 0;

/// Fields and defaults of diffusers 0.42.1 `PriorTransformer.__init__`, under the same names;
/// time_embedding is an extension.
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
    int time_embed_dim = null_dim;     ///< null: inner_dim()
    int embedding_proj_dim = null_dim; ///< null: embedding_dim
    int clip_embed_dim = null_dim;     ///< null: embedding_dim
    bool time_embedding = true;        ///< false: no time token, and one pass turns noise into the answer (ECLIPSE)

    /// The width of the transformer: num_attention_heads * attention_head_dim.
    constexpr int inner_dim() const noexcept { return num_attention_heads * attention_head_dim; }
    /// The rows of positional_embedding.
    constexpr int positions() const noexcept { return num_embeddings + additional_embeddings; }

    static constexpr const char* class_name = "PriorTransformer";
    static constexpr other_fields others = other_fields::warned;
    static constexpr auto fields() noexcept {
        using c = PriorConfig;
        using f = field<c>;
        return std::array{
            f::integer<&c::num_attention_heads>("num_attention_heads", 1),
            f::integer<&c::attention_head_dim>("attention_head_dim", 1),
            f::integer<&c::num_layers>("num_layers", 1),
            f::integer<&c::embedding_dim>("embedding_dim", 1),
            f::integer<&c::num_embeddings>("num_embeddings", 0),
            f::integer<&c::additional_embeddings>("additional_embeddings", 0),
            f::real<&c::dropout>("dropout", "0.0", "1.0").without_effect(),
            f::choice<&c::time_embed_act_fn>("time_embed_act_fn", activation_spellings, letters::any_case),
            f::choice<&c::norm_in_type>("norm_in_type", norm_spellings),
            f::choice<&c::embedding_proj_norm_type>("embedding_proj_norm_type", norm_spellings),
            f::choice<&c::encoder_hid_proj_type>("encoder_hid_proj_type", hid_proj_spellings),
            f::choice<&c::added_emb_type>("added_emb_type", added_emb_spellings),
            f::integer_or_null<&c::time_embed_dim>("time_embed_dim"),
            f::integer_or_null<&c::embedding_proj_dim>("embedding_proj_dim"),
            f::integer_or_null<&c::clip_embed_dim>("clip_embed_dim"),
            f::flag<&c::time_embedding>("time_embedding").of_ours(),
            f::only("_class_name", "\"PriorTransformer\""),
            f::only("quantization_config", "null"), // otherwise the weights are not the model's numbers
        };
    }
    /// Checks conditions on several fields together, after each is valid.
    constexpr status together() const noexcept {
        const auto inner = std::int64_t{num_attention_heads} * attention_head_dim;
        if (inner > most_extent)
            return status::invalid("num_attention_heads times attention_head_dim must be at most 1048576", inner,
                                   most_extent);
        if (!time_embedding && added_emb_type != added_emb::prd)
            return status::invalid("time_embedding is false, which is allowed with added_emb_type \"prd\" alone");
        return {};
    }
    /// Infers fields that a file leaves out. A file without time_embedding may be that of an ECLIPSE prior. Its class
    /// has the same name as diffusers', but no fields of time, and one token less: three after the text, where
    /// diffusers has four, the pooled one, time, latents and prd.
    constexpr void infer(const auto& json) noexcept {
        if (!json("time_embedding") && !json("time_embed_act_fn") && !json("time_embed_dim") &&
            additional_embeddings == 3 && added_emb_type == added_emb::prd)
            time_embedding = false;
    }

    constexpr bool operator==(const PriorConfig&) const = default;
};

/// The canonical form of a configuration: null dimensions are written out, and fields without effect, such as dropout
/// at inference, are reset. So configurations that mean the same are the same type.
constexpr PriorConfig canonical(const PriorConfig& config) noexcept {
    PriorConfig c = canonical<PriorConfig>(config);
    if (!c.time_embedding) {
        c.time_embed_act_fn = PriorConfig{}.time_embed_act_fn;
        c.time_embed_dim = null_dim;
    }
    if (c.time_embed_dim == null_dim) c.time_embed_dim = c.inner_dim();
    if (c.embedding_proj_dim == null_dim) c.embedding_proj_dim = c.embedding_dim;
    if (c.clip_embed_dim == null_dim) c.clip_embed_dim = c.embedding_dim;
    return c;
}

/// The form in which configurations are compared.
constexpr PriorConfig meaning_of(const PriorConfig& c) noexcept { return canonical(c); }
constexpr PriorConfig meaning_of(const PriorConfig& file, const PriorConfig&) noexcept { return canonical(file); }

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
/// The trained miniature of examples/digits.
inline constexpr PriorConfig digits{
    .num_attention_heads = 4, .attention_head_dim = 32, .num_layers = 4, .embedding_dim = 64, .num_embeddings = 16};
} // namespace presets

} // namespace apriori
APRIORI_END_EXACT_MATH
