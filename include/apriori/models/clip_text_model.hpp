// SPDX-License-Identifier: Apache-2.0
// transformers' CLIPTextModel and CLIPTextModelWithProjection: from tokens to embeddings of each token and of the text
// (Radford et al. 2021). Written entirely in expressions, as a second model beside the prior.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/models/clip_encoder.hpp"
#include "apriori/models/clip_encoding.hpp"

#include <span>
#include <string>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The largest inputs that a workspace is for.
struct clip_text_limits {
    index_t rows = 1;   ///< texts that are encoded together
    index_t tokens = 0; ///< tokens of each; 0: max_position_embeddings

    constexpr clip_text_limits filled_in(const CLIPTextConfig& c) const noexcept {
        return {rows < 1 ? 1 : rows, tokens < 1 ? c.max_position_embeddings : tokens};
    }
};

/// The arguments of forward, in the device's memory. The values of ids and pooled rows are not
/// checked here; encode checks them.
struct CLIPTextInput {
    view<const std::int32_t, extents<dyn, dyn>> input_ids{};      ///< [rows, tokens]
    view<const std::int32_t, extents<dyn>> pooled{};              ///< [rows], each row * tokens + its pooled token
    view<const std::uint8_t, extents<dyn, dyn>> attention_mask{}; ///< [rows, tokens], or null: no token is masked

    constexpr index_t rows() const noexcept { return input_ids.ext()[0]; }
    constexpr index_t tokens() const noexcept { return input_ids.ext()[1]; }

    static constexpr CLIPTextInput shaped(const clip_text_limits& l) {
        return {{nullptr, extents<dyn, dyn>(l.rows, l.tokens)}, {nullptr, extents<dyn>(l.rows)}};
    }
    constexpr status check(const clip_text_limits& l, const CLIPTextConfig& c) const noexcept {
        using detail::fitting;
        return detail::first_error(
            fitting(rows() >= 1 && input_ids.data != nullptr, "input_ids: needs a row or more", rows(), 1),
            fitting(tokens() >= 1 && tokens() <= c.max_position_embeddings,
                    "input_ids: more tokens than max_position_embeddings, or none", tokens(),
                    c.max_position_embeddings),
            fitting(tokens() <= l.tokens, "input_ids: more tokens than the limits' tokens", tokens(), l.tokens),
            fitting(pooled.ext()[0] == rows() && pooled.data != nullptr, "pooled: must be [rows]", pooled.ext()[0],
                    rows()),
            fitting(attention_mask.data == nullptr || same_sizes(attention_mask.ext(), input_ids.ext()),
                    "attention_mask: must be [rows, tokens]", attention_mask.ext()[1], tokens()));
    }
};

/// The result of forward: last_hidden_state [rows, tokens, hidden_size] after the final norm, and for the pooled tokens
/// text_embeds [rows, projection_dim], or without a projection pooler_output [rows, hidden_size].
template <CLIPTextConfig C>
struct CLIPTextModelOutput {
    status state{};
    view<float, extents<dyn, dyn, C.hidden_size>> last_hidden_state{};
    view<float, extents<dyn, C.output_dim()>> text_embeds{};

    /// The output of `in` in these spans; its state is shape_mismatch if one is too small.
    static constexpr CLIPTextModelOutput of(const CLIPTextInput& in, std::span<float> hidden = {},
                                            std::span<float> embeds = {}) {
        const extents<dyn, dyn, C.hidden_size> tokens(in.rows(), in.tokens());
        const extents<dyn, C.output_dim()> rows(in.rows());
        return {detail::first_error(
                    detail::room(hidden, tokens,
                                 "last_hidden_state: a span of rows * tokens * hidden_size floats is needed"),
                    detail::room(embeds, rows, "text_embeds: a span of rows * projection_dim floats is needed")),
                {hidden.data(), tokens},
                {embeds.data(), rows}};
    }
};

/// The index of the token that transformers pools: the first end mark, or the first token if there is none. If
/// eos_token_id is 2, as in configurations from before transformers 4.31, the largest id.
constexpr index_t clip_pooled_token(std::span<const std::int32_t> ids, int eos_token_id) noexcept {
    std::size_t best = 0;
    for (std::size_t i = 1; i < ids.size(); ++i) {
        const bool better =
            eos_token_id == 2 ? ids[i] > ids[best] : ids[i] == eos_token_id && ids[best] != eos_token_id;
        if (better) best = i;
    }
    return index_t(best);
}

namespace detail {

/// The architecture (models/model.hpp) of a checked configuration.
template <CLIPTextConfig C>
struct clip_text_architecture {
    static constexpr CLIPTextConfig config = C;
    using limits = clip_text_limits;
    using input = CLIPTextInput;
    using output = CLIPTextModelOutput<C>;
    using encoding = clip_text_encoding;
    static constexpr auto embeds = &clip_text_encoding::text_embeds;
    static constexpr const char* prefix = "text_model.";
    static constexpr int layers = C.num_hidden_layers, distinct_layers = 1, launches = 8 + 8 * C.num_hidden_layers;

    template <class Context, class W>
    static constexpr void run(Context& to, const W& w, const input& in, const output& out, index_t first, index_t count,
                              int depth) {
        constexpr index_t width = C.hidden_size;
        const clip_layers<C, W> network{w};
        const index_t tokens = in.tokens();
        const auto temporaries = to.scope();
        const auto x = to.temporary(extents<dyn, width>(count * tokens));          // [rows * tokens, hidden]
        const auto sequence = reshape(x, extents<dyn, dyn, width>(count, tokens)); // [rows, tokens, hidden]
        const auto ids = reshape(slice<0>(in.input_ids, first, count), extents<dyn>(count * tokens)); // [rows * tokens]
        to(x) = gather(w["embeddings.token_embedding.weight"_w], ids);
        to(sequence) = sequence + slice<0>(w["embeddings.position_embedding.weight"_w], 0, tokens);
        network.run(to, x, attends(in, first, count), depth);

        const auto hidden = reshape(out.last_hidden_state, extents<dyn, width>(in.rows() * tokens)); // of all texts
        const auto pooled = slice<0>(in.pooled, first, count);                                       // among all texts
        to(slice<0>(hidden, first * tokens, count * tokens)) = network.norm("final_layer_norm"_w, x);
        to(slice<0>(out.text_embeds, first, count)) =
            network.project("text_projection.weight"_w, gather(hidden, pooled));
    }

private:
    static constexpr attention_rows attends(const input& in, index_t first, index_t count) noexcept {
        const bool masked = in.attention_mask.data != nullptr;
        return {count, in.tokens(), advance(in.attention_mask.data, first * in.tokens()), masked ? in.tokens() : 0,
                true};
    }
};

/// The model for a checked configuration; see CLIPTextModelWithProjection below.
template <CLIPTextConfig C, class Device, class Format>
class clip_text_model
    : public clip_encoder<clip_text_model<C, Device, Format>, clip_text_architecture<C>, Device, Format> {
    using base = clip_encoder<clip_text_model, clip_text_architecture<C>, Device, Format>;

public:
    using base::base;

    /// Ids must be below this: the configuration's size plus the tokens that were added to the table of the weights.
    std::int32_t vocab_size() const noexcept { return C.vocab_size + std::int32_t(this->weights_block().added_rows); }

    /// Encodes texts on the host, ids [rows, tokens] as from clip_tokenizer. Without a mask all tokens are attended to,
    /// as in diffusers' unCLIP and Kandinsky pipelines. Up to l.rows texts are encoded together. Allocates.
    /// shape_mismatch for sizes that do not fit, invalid_argument for an id out of range.
    result<clip_text_encoding> encode(std::span<const std::int32_t> input_ids, index_t rows,
                                      std::span<const std::uint8_t> attention_mask = {},
                                      clip_text_limits l = {.rows = 4}) const {
        const index_t count = std::ssize(input_ids);
        if (rows < 1 || count < rows || count % rows != 0)
            return failure(errc::shape_mismatch, "input_ids: ", count, " ids are not ", rows,
                           " rows of one token or more");
        if (!attention_mask.empty() && attention_mask.size() != input_ids.size())
            return failure(errc::shape_mismatch, "attention_mask: ", attention_mask.size(), " values for ", count,
                           " input_ids");
        for (const std::int32_t id : input_ids)
            if (id < 0 || id >= vocab_size())
                return failure(errc::invalid_argument, "input_ids: ", id, "; allowed: 0 to ", vocab_size() - 1,
                               " (vocab_size - 1)");
        l.tokens = count / rows;
        std::vector<std::int32_t> pooled;
        for (index_t i = 0; i < count; i += l.tokens)
            pooled.push_back(std::int32_t(i + clip_pooled_token(part(input_ids, i, l.tokens), C.eos_token_id)));
        device_staging<Device> on(this->device(), "no memory for the text encoder's tensors");
        const auto ids = on.copy(input_ids), pooled_rows = on.copy(pooled);
        const auto mask = on.copy(attention_mask);
        const extents<dyn, dyn> shape(rows, l.tokens);
        return this->encode_on(on,
                               {{ids.data(), shape},
                                {pooled_rows.data(), extents<dyn>(rows)},
                                {mask.size() == 0 ? nullptr : mask.data(), shape}},
                               l);
    }
};

} // namespace detail

/// CLIP's text encoder of a configuration (models/clip_config.hpp) on a device, with weights packed in a Format
/// (core/weight_format.hpp). With projection_dim 0 it is CLIPTextModel.
template <CLIPTextConfig Config, class Device, class Format = f32>
using CLIPTextModelWithProjection = detail::clip_text_model<detail::checked<Config>(), Device, Format>;

/// The text encoder without a projection: text_embeds is transformers' pooler_output.
template <CLIPTextConfig Config, class Device, class Format = f32>
using CLIPTextModel = CLIPTextModelWithProjection<without_projection(Config), Device, Format>;

} // namespace apriori
APRIORI_END_EXACT_MATH
