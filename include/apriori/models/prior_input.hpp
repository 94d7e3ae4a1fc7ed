// SPDX-License-Identifier: Apache-2.0
// The input and output of PriorTransformer's forward: shapes, and which row attends to which.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/expr/attention.hpp"
#include "apriori/models/prior_config.hpp"
#include "apriori/tensor/tensor.hpp"

#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The largest inputs that a workspace is for. 0: as in the configuration.
struct limits {
    index_t rows = 1; ///< batch rows processed together; guidance takes two for each image
    index_t hidden_tokens =
        0; ///< tokens of hidden_states: 0 means 1, or num_embeddings if additional_embeddings is 0 (Shap-E)
    index_t proj_tokens = 1; ///< tokens of proj_embedding: 256 in Shap-E's image prior
    index_t text_tokens = 0; ///< text tokens: 0 means num_embeddings, or none without a text projection

    constexpr limits filled_in(const PriorConfig& c) const noexcept {
        limits l = *this;
        if (l.rows < 1) l.rows = 1;
        if (l.hidden_tokens < 1)
            l.hidden_tokens = c.additional_embeddings == 0 && c.num_embeddings > 0 ? c.num_embeddings : 1;
        if (l.proj_tokens < 1) l.proj_tokens = 1;
        if (l.text_tokens < 1) l.text_tokens = c.encoder_hid_proj_type == hid_proj_type::linear ? c.num_embeddings : 0;
        return l;
    }
};

/// Rows [rows, Width] or [rows, tokens, Width] of floats, dense, from a view or a tensor of either shape.
template <index_t Width>
struct token_rows {
    const float* data = nullptr;
    index_t rows = 0, tokens = 0;

    constexpr token_rows() = default;
    constexpr token_rows(const float* p, index_t r, index_t t) : data(p), rows(r), tokens(t) {}
    template <class T, index_t R>
    constexpr token_rows(const view<T, extents<R, Width>>& v) : data(v.data), rows(v.ext()[0]), tokens(1) {}
    template <class T, index_t R, index_t N>
    constexpr token_rows(const view<T, extents<R, N, Width>>& v) : data(v.data), rows(v.ext()[0]), tokens(v.ext()[1]) {}
    template <class T, class E, class S>
    token_rows(const tensor<T, E, S>& t) : token_rows(t.view()) {}

    constexpr auto as_view() const { return view(data, extents<dyn, dyn, Width>(rows, tokens)); }
    constexpr token_rows part(index_t first, index_t count) const {
        return {advance(data, first * tokens * Width), count, tokens};
    }
};

/// The arguments of forward, under diffusers' names, in the memory of the model's device. C is canonical.
template <PriorConfig C>
struct PriorTransformerInput {
    static constexpr index_t text_width =
        C.encoder_hid_proj_type == hid_proj_type::linear ? C.embedding_dim : C.inner_dim();

    token_rows<C.embedding_dim> hidden_states{}; ///< x_t: [rows, embedding_dim], or with a token axis
    /// [rows], or [1] for all rows; need not be integers. Ignored by a model without time_embedding.
    view<const float, extents<dyn>> timestep{nullptr, extents<dyn>(0)};
    token_rows<C.embedding_proj_dim>
        proj_embedding{}; ///< the pooled condition: [rows, embedding_proj_dim], or with a token axis
    token_rows<text_width>
        encoder_hidden_states{}; ///< [rows, text tokens, embedding_dim], or inner_dim() without a projection
    view<const std::uint8_t, extents<dyn, dyn>> attention_mask{
        nullptr, extents<dyn, dyn>(0, 0)}; ///< [rows, num_embeddings], nonzero: attended to; null: no mask, not causal

    constexpr index_t rows() const noexcept { return hidden_states.rows; }
    constexpr index_t text_tokens() const noexcept { return encoder_hidden_states.tokens; }
    constexpr index_t proj_tokens() const noexcept { return proj_embedding.tokens; }
    constexpr index_t hidden_tokens() const noexcept { return hidden_states.tokens; }
    static constexpr bool has_prd = C.added_emb_type == added_emb::prd;

    /// The sequence is [text, proj, time, hidden states, prd], with the time token only if the
    /// model has a time_embedding.
    constexpr index_t tokens() const noexcept { return first_hidden() + hidden_tokens() + (has_prd ? 1 : 0); }
    constexpr index_t first_hidden() const noexcept {
        return text_tokens() + proj_tokens() + (C.time_embedding ? 1 : 0);
    }
    constexpr index_t first_answer() const noexcept { return has_prd ? tokens() - 1 : first_hidden(); }
    /// The tokens of predicted_image_embedding: 1 with prd, else those of hidden_states.
    constexpr index_t output_tokens() const noexcept { return has_prd ? 1 : hidden_tokens(); }

    constexpr attention_rows attends() const noexcept {
        const bool masked = attention_mask.data != nullptr;
        return {rows(), tokens(), attention_mask.data, attention_mask.ext()[1], masked};
    }
    /// The timesteps as [rows, 1]; a single timestep is used for all rows.
    constexpr auto timestep_column() const { return rows_of<1>(timestep.data, rows(), timestep.size() == 1 ? 0 : 1); }

    /// Rows first .. first + count.
    constexpr PriorTransformerInput part(index_t first, index_t count) const {
        PriorTransformerInput p = *this;
        p.hidden_states = hidden_states.part(first, count);
        if (timestep.size() > 1) p.timestep = slice_view<0, dyn>(timestep, first, count);
        p.proj_embedding = proj_embedding.part(first, count);
        p.encoder_hidden_states = encoder_hidden_states.part(first, count);
        p.attention_mask = slice_view<0, dyn>(attention_mask, first, count);
        return p;
    }

    /// Inputs of the largest shape that `l` allows, without memory: for plans.
    static constexpr PriorTransformerInput shaped(const limits& l) {
        PriorTransformerInput in;
        in.hidden_states = {nullptr, l.rows, l.hidden_tokens};
        in.timestep = {nullptr, extents<dyn>(l.rows)};
        in.proj_embedding = {nullptr, l.rows, l.proj_tokens};
        in.encoder_hidden_states = {nullptr, l.text_tokens > 0 ? l.rows : 0, l.text_tokens};
        return in;
    }

    /// Checks that the shapes fit together and into the limits, as diffusers requires, before anything is computed.
    constexpr status check(const limits& l, const PriorConfig& = C) const {
        using detail::fitting;
        const auto valid = [](bool holds, const char* what, index_t got = 0) {
            return holds ? status{} : status::invalid(what, got);
        };
        constexpr bool takes_text = C.encoder_hid_proj_type == hid_proj_type::linear && C.num_embeddings > 0;
        const bool text = encoder_hidden_states.data != nullptr && text_tokens() > 0;
        const bool masked = attention_mask.data != nullptr, whole = tokens() == C.positions();
        return detail::first_error(
            fitting(rows() >= 1 && hidden_states.data != nullptr && hidden_tokens() >= 1,
                    "hidden_states: at least one row is needed", rows(), 1),
            fitting(proj_embedding.data != nullptr && proj_embedding.rows == rows() && proj_tokens() >= 1,
                    "proj_embedding: as many rows as hidden_states are needed", proj_embedding.rows, rows()),
            fitting(!C.time_embedding ||
                        (timestep.data != nullptr && (timestep.size() == 1 || timestep.size() == rows())),
                    "timestep: one for all rows or one for each is needed", timestep.size(), rows()),
            valid(text || !takes_text, "encoder_hidden_states are needed: encoder_hid_proj_type is linear"),
            valid(text || text_tokens() == 0, "encoder_hidden_states: tokens without memory", text_tokens()),
            fitting(!text || encoder_hidden_states.rows == rows(),
                    "encoder_hidden_states: as many rows as hidden_states are needed", encoder_hidden_states.rows,
                    rows()),
            fitting(hidden_tokens() <= l.hidden_tokens, "hidden_states: more tokens than limits.hidden_tokens",
                    hidden_tokens(), l.hidden_tokens),
            fitting(proj_tokens() <= l.proj_tokens, "proj_embedding: more tokens than limits.proj_tokens",
                    proj_tokens(), l.proj_tokens),
            fitting(text_tokens() <= l.text_tokens, "encoder_hidden_states: more tokens than limits.text_tokens",
                    text_tokens(), l.text_tokens),
            fitting(C.time_embedding || whole,
                    "the sequence [text, proj, hidden states, prd] must have num_embeddings + additional_embeddings "
                    "tokens",
                    tokens(), C.positions()),
            fitting(whole || (tokens() > C.positions() && hidden_tokens() == C.positions()),
                    "the sequence [text, proj, time, hidden states, prd] must have num_embeddings + "
                    "additional_embeddings tokens, or hidden_states that many",
                    tokens(), C.positions()),
            fitting(!masked || (attention_mask.ext()[0] == rows() && attention_mask.ext()[1] == C.num_embeddings),
                    "attention_mask: must be [rows, num_embeddings]", attention_mask.ext()[1], C.num_embeddings),
            fitting(!masked || whole,
                    "attention_mask: the sequence must have num_embeddings + additional_embeddings tokens", tokens(),
                    C.positions()));
    }
};

/// The result of forward: predicted_image_embedding [rows, tokens, clip_embed_dim], with 1 token if the model has prd.
template <PriorConfig C>
struct PriorTransformerOutput {
    using extents_type = extents<dyn, dyn, C.clip_embed_dim>;

    status state{};
    view<float, extents_type> predicted_image_embedding{};

    /// The output of `in` in `to`; its state is shape_mismatch if `to` is too small.
    static constexpr PriorTransformerOutput of(const PriorTransformerInput<C>& in, std::span<float> to = {}) {
        const extents_type shape(in.rows(), in.output_tokens());
        return {detail::room(to, shape,
                             "predicted_image_embedding: a span of rows * tokens * clip_embed_dim floats is needed"),
                {to.data(), shape}};
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
