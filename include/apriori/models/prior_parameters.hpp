// SPDX-License-Identifier: Apache-2.0
// The one table of PriorTransformer's parameters: diffusers' names, their shapes, and where each goes in packed memory.
// Loading, packing, checking and counting all read it.
#pragma once

#include "apriori/core/tensor_source.hpp"
#include "apriori/models/prior_config.hpp"

#include <array>
#include <deque>
#include <string>
#include <vector>

namespace apriori {

/// A place in a model's memory: a packed matrix or a vector. Those from norm1_weight on exist once per layer.
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

/// One tensor of the state dict. "{}" in its name stands for the layer.
struct parameter {
    std::string_view name;
    slot where{};
    int rank = 0;
    std::array<index_t, 3> dims{};
    bool packed = false; ///< a matrix [dims[0], dims[1]] in the device's layout
    index_t row = 0;     ///< where it begins in its slot: rows of a matrix, elements of a vector
    float scale = 1;     ///< what its elements are multiplied by when they are packed

    constexpr bool in_block() const noexcept { return where >= slot::norm1; }
    constexpr index_t size() const noexcept {
        index_t n = 1;
        for (int i = 0; i < rank; ++i) n *= dims[static_cast<std::size_t>(i)];
        return n;
    }
};

struct parameter_table {
    std::array<parameter, 48> rows{};
    int count = 0;

    constexpr void add(parameter p) { rows[static_cast<std::size_t>(count++)] = p; }
    constexpr void vector(std::string_view name, slot s, index_t n, index_t row = 0, float scale = 1) {
        add({name, s, 1, {n}, false, row, scale});
    }
    constexpr void matrix(std::string_view name, slot s, index_t out, index_t in, index_t row = 0, float scale = 1) {
        add({name, s, 2, {out, in}, true, row, scale});
    }
    constexpr const parameter* begin() const { return rows.data(); }
    constexpr const parameter* end() const { return rows.data() + count; }
};

/// The factor of attention scores, 1 / sqrt(head_dim), when it is a power of two and so can be multiplied into to_q
/// without changing a bit of any score; 1 otherwise.
constexpr float folded_attention_scale(int head_dim) noexcept {
    float scale = 1;
    for (int d = 1; d <= head_dim; d *= 4, scale /= 2)
        if (d == head_dim) return scale;
    return 1;
}

/// The table of a canonical configuration.
constexpr parameter_table prior_parameters(const PriorConfig& c) {
    const index_t d = c.inner_dim(), e = c.embedding_dim, clip = c.clip_embed_dim;
    parameter_table t;
    t.matrix("time_embedding.linear_1.weight", slot::time_1, c.time_embed_dim, d);
    t.vector("time_embedding.linear_1.bias", slot::time_1_bias, c.time_embed_dim);
    t.matrix("time_embedding.linear_2.weight", slot::time_2, d, c.time_embed_dim);
    t.vector("time_embedding.linear_2.bias", slot::time_2_bias, d);
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
    t.add({"positional_embedding", slot::positions, 3, {1, c.positions(), d}});
    if (c.added_emb_type == added_emb::prd) t.add({"prd_embedding", slot::prd, 3, {1, 1, d}});

    const float scale = folded_attention_scale(c.attention_head_dim);
    t.vector("transformer_blocks.{}.norm1.weight", slot::norm1, d);
    t.vector("transformer_blocks.{}.norm1.bias", slot::norm1_bias, d);
    t.matrix("transformer_blocks.{}.attn1.to_q.weight", slot::to_qkv, d, d, 0, scale);
    t.matrix("transformer_blocks.{}.attn1.to_k.weight", slot::to_qkv, d, d, d);
    t.matrix("transformer_blocks.{}.attn1.to_v.weight", slot::to_qkv, d, d, 2 * d);
    t.vector("transformer_blocks.{}.attn1.to_q.bias", slot::to_qkv_bias, d, 0, scale);
    t.vector("transformer_blocks.{}.attn1.to_k.bias", slot::to_qkv_bias, d, d);
    t.vector("transformer_blocks.{}.attn1.to_v.bias", slot::to_qkv_bias, d, 2 * d);
    t.matrix("transformer_blocks.{}.attn1.to_out.0.weight", slot::to_out, d, d);
    t.vector("transformer_blocks.{}.attn1.to_out.0.bias", slot::to_out_bias, d);
    t.vector("transformer_blocks.{}.norm3.weight", slot::norm3, d);
    t.vector("transformer_blocks.{}.norm3.bias", slot::norm3_bias, d);
    t.matrix("transformer_blocks.{}.ff.net.0.proj.weight", slot::ff_in, 4 * d, d);
    t.vector("transformer_blocks.{}.ff.net.0.proj.bias", slot::ff_in_bias, 4 * d);
    t.matrix("transformer_blocks.{}.ff.net.2.weight", slot::ff_out, d, 4 * d);
    t.vector("transformer_blocks.{}.ff.net.2.bias", slot::ff_out_bias, d);

    if (c.norm_in_type != norm_type::none) t.vector("norm_in.weight", slot::norm_in, d);
    if (c.norm_in_type == norm_type::layer) t.vector("norm_in.bias", slot::norm_in_bias, d);
    t.vector("norm_out.weight", slot::norm_out, d);
    t.vector("norm_out.bias", slot::norm_out_bias, d);
    t.matrix("proj_to_clip_embeddings.weight", slot::proj_out, clip, d);
    t.vector("proj_to_clip_embeddings.bias", slot::proj_out_bias, clip);
    t.add({"clip_mean", slot::clip_mean, 2, {1, clip}});
    t.add({"clip_std", slot::clip_std, 2, {1, clip}});
    return t;
}

/// A number for what a configuration means; equal meanings have equal ones.
constexpr std::uint64_t config_hash(const PriorConfig& config) {
    const PriorConfig c = canonical(config);
    std::uint64_t h = 0xcbf29ce484222325u; // FNV-1a over the fields
    for (const int v :
         {c.num_attention_heads, c.attention_head_dim, c.num_layers, c.embedding_dim, c.num_embeddings,
          c.additional_embeddings, static_cast<int>(c.time_embed_act_fn), static_cast<int>(c.norm_in_type),
          static_cast<int>(c.embedding_proj_norm_type), static_cast<int>(c.encoder_hid_proj_type),
          static_cast<int>(c.added_emb_type), c.time_embed_dim, c.embedding_proj_dim, c.clip_embed_dim})
        h = (h ^ static_cast<std::uint64_t>(v)) * 0x100000001b3u;
    return h;
}

/// Parameters of the state dict in all.
constexpr std::int64_t parameter_count(const PriorConfig& config) {
    const PriorConfig c = canonical(config);
    std::int64_t n = 0;
    for (const parameter& p : prior_parameters(c)) n += p.size() * (p.in_block() ? c.num_layers : 1);
    return n;
}

/// The name of a parameter in a layer.
inline std::string parameter_name(const parameter& p, int layer) {
    std::string name(p.name);
    if (const auto at = name.find("{}"); at != std::string::npos) name.replace(at, 2, std::to_string(layer));
    return name;
}

/// Names and shapes of the whole state dict, as a list that owns its names.
class tensor_list {
public:
    explicit tensor_list(const PriorConfig& config) {
        const PriorConfig c = canonical(config);
        for (const parameter& p : prior_parameters(c))
            for (int layer = 0; layer < (p.in_block() ? c.num_layers : 1); ++layer) {
                tensor_info t;
                t.name = names_.emplace_back(parameter_name(p, layer));
                t.rank = p.rank;
                for (std::size_t i = 0; i < p.dims.size(); ++i) t.dims[i] = p.dims[i];
                infos_.push_back(t);
            }
    }
    const std::vector<tensor_info>& infos() const noexcept { return infos_; }

private:
    std::deque<std::string> names_;
    std::vector<tensor_info> infos_;
};

} // namespace apriori
