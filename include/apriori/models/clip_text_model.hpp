// SPDX-License-Identifier: Apache-2.0
// transformers' CLIPTextModel and CLIPTextModelWithProjection: tokens in, embeddings of each token and of the text out
// (Radford et al. 2021). Written in expressions alone, as a second model beside the prior.
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/models/clip_encoding.hpp"
#include "apriori/models/clip_layers.hpp"
#include "apriori/models/clip_source.hpp"
#include "apriori/models/device_array.hpp"
#include "apriori/models/packed_weights.hpp"

#include <memory>
#include <span>
#include <vector>

namespace apriori {

/// How much a workspace must hold at once.
struct clip_text_limits {
    index_t rows = 1;   ///< texts worked off together
    index_t tokens = 0; ///< of each; 0: max_position_embeddings
};

/// The arguments of forward, in the device's memory. Neither ids nor pooled rows are checked there: encode does that.
struct CLIPTextInput {
    view<const std::int32_t, extents<dyn, dyn>> input_ids{};      ///< [rows, tokens]
    view<const std::int32_t, extents<dyn>> pooled{};              ///< [rows], each row * tokens + its pooled token
    view<const std::uint8_t, extents<dyn, dyn>> attention_mask{}; ///< [rows, tokens], or null: all are seen

    constexpr index_t rows() const noexcept { return input_ids.ext()[0]; }
    constexpr index_t tokens() const noexcept { return input_ids.ext()[1]; }
};

/// What forward returns: last_hidden_state [rows, tokens, hidden_size] behind the final norm, and of the pooled tokens
/// text_embeds [rows, projection_dim], or without a projection pooler_output [rows, hidden_size].
template <CLIPTextConfig C>
struct CLIPTextModelOutput {
    status state{};
    view<float, extents<dyn, dyn, C.hidden_size>> last_hidden_state{};
    view<float, extents<dyn, C.output_dim()>> text_embeds{};
};

/// The token of a text that transformers pools: the first end mark, or the first token where there is none; where
/// eos_token_id is 2, as in configurations before transformers 4.31, the largest id.
constexpr index_t clip_pooled_token(std::span<const std::int32_t> ids, int eos_token_id) noexcept {
    std::size_t best = 0;
    for (std::size_t i = 1; i < ids.size(); ++i) {
        const bool better =
            eos_token_id == 2 ? ids[i] > ids[best] : ids[i] == eos_token_id && ids[best] != eos_token_id;
        if (better) best = i;
    }
    return static_cast<index_t>(best);
}

namespace detail {

/// The model for a checked configuration; see CLIPTextModelWithProjection below.
template <CLIPTextConfig C, class Device, class Format>
class clip_text_model {
public:
    static constexpr CLIPTextConfig config = C;
    static constexpr index_t width = C.hidden_size, embedding = C.output_dim();
    using device_type = Device;
    using format = Format;
    using output = CLIPTextModelOutput<C>;
    using weights = packed_weights<model_of<C>, Device, Format>;

    /// A model on `device`, which must outlive it, with weights that it shares.
    clip_text_model(Device& device, std::shared_ptr<const weights> w) : device_(&device), weights_(std::move(w)) {}

    /// Loads the weights from a tensor source (io/).
    template <tensor_source Source>
    static result<clip_text_model> load(Device& device, const Source& source) {
        auto w = weights::load(device, clip_source(source, "text_model."));
        if (!w) return w.error();
        return clip_text_model(device, std::move(*w));
    }

    /// Bytes that forward needs for up to l.rows texts at a time.
    static constexpr std::size_t workspace_bytes(clip_text_limits l) { return plan_forward<0>(l, 1).workspace; }
    /// All launches of one forward of l.rows texts, in order, with their costs.
    static constexpr auto plan(clip_text_limits l) {
        return plan_forward<8 + 8 * C.num_hidden_layers>(l, C.num_hidden_layers);
    }

    /// Encodes texts. `last_hidden_state` receives [rows, tokens, hidden_size] floats and `text_embeds` [rows, output_dim()],
    /// in the device's memory; `memory` is workspace of the device of at least workspace_bytes(l), aligned to
    /// buffer_alignment. More than l.rows texts are worked off l.rows at a time. Errors, before anything is written:
    /// shape_mismatch, workspace_too_small.
    output forward(const CLIPTextInput& in, float* last_hidden_state, float* text_embeds, std::span<std::byte> memory,
                   clip_text_limits l = {}) const {
        l = filled_in(l);
        output out{check(in, l),
                   {last_hidden_state, extents<dyn, dyn, width>(in.rows(), in.tokens())},
                   {text_embeds, extents<dyn, embedding>(in.rows())}};
        if (out.state.ok()) out.state = check_workspace(memory, workspace_bytes(l));
        workspace w(memory);
        context ctx(*device_, w);
        for (index_t first = 0; first < in.rows() && out.state.ok(); first += l.rows)
            out.state = run(ctx, weights_->operands(), in, out, first, std::min(l.rows, in.rows() - first),
                            C.num_hidden_layers);
        return out;
    }

    /// Encodes texts on the host, ids [rows, tokens] as clip_tokenizer gives them; without a mask all tokens are seen, as
    /// diffusers' unCLIP and Kandinsky pipelines have it. Up to l.rows texts are worked off together. Allocates.
    result<clip_text_encoding> encode(std::span<const std::int32_t> input_ids, index_t rows,
                                      std::span<const std::uint8_t> attention_mask = {},
                                      clip_text_limits l = {.rows = 4}) const {
        const auto ids = static_cast<index_t>(input_ids.size());
        if (rows < 1 || ids < rows || ids % rows != 0)
            return failure{errc::shape_mismatch, "input_ids: " + std::to_string(ids) + " ids are not " +
                                                     std::to_string(rows) + " rows of one token or more"};
        if (!attention_mask.empty() && attention_mask.size() != input_ids.size())
            return failure{errc::shape_mismatch, "attention_mask: " + std::to_string(attention_mask.size()) +
                                                     " values for " + std::to_string(ids) + " input_ids"};
        for (const std::int32_t id : input_ids)
            if (id < 0 || id >= C.vocab_size)
                return failure{errc::invalid_argument, "input_ids: " + std::to_string(id) + "; allowed: 0 to " +
                                                           std::to_string(C.vocab_size - 1) + " (vocab_size - 1)"};
        const index_t tokens = ids / rows;
        std::vector<std::int32_t> pooled;
        for (index_t r = 0; r < rows; ++r)
            pooled.push_back(static_cast<std::int32_t>(
                r * tokens + clip_pooled_token(input_ids.subspan(static_cast<std::size_t>(r * tokens),
                                                                 static_cast<std::size_t>(tokens)),
                                               C.eos_token_id)));

        l.tokens = tokens;
        l.rows = std::min(l.rows, rows);
        device_array<std::int32_t, Device> ids_there(*device_, ids), pooled_there(*device_, rows);
        device_array<std::uint8_t, Device> mask(*device_, static_cast<index_t>(attention_mask.size()));
        device_array<float, Device> hidden(*device_, ids * width), embeds(*device_, rows * embedding);
        device_array<std::byte, Device> memory(*device_, static_cast<index_t>(workspace_bytes(l)));
        if (!ids_there.ok() || !pooled_there.ok() || !mask.ok() || !hidden.ok() || !embeds.ok() || !memory.ok())
            return failure{errc::device_error, "no memory for the text encoder's tensors"};
        const extents<dyn, dyn> shape(rows, tokens);
        const CLIPTextInput in{{ids_there.data(), shape},
                               {pooled_there.data(), extents<dyn>(rows)},
                               {attention_mask.empty() ? nullptr : mask.data(), shape}};
        clip_text_encoding out{rows, tokens, std::vector<float>(static_cast<std::size_t>(ids * width)),
                               std::vector<float>(static_cast<std::size_t>(rows * embedding))};
        status s = ids_there.write(input_ids);
        if (s.ok()) s = pooled_there.write(pooled);
        if (s.ok()) s = mask.write(attention_mask);
        if (s.ok()) s = forward(in, hidden.data(), embeds.data(), memory.bytes(), l).state;
        if (s.ok()) s = device_->synchronize();
        if (s.ok()) s = hidden.read(out.last_hidden_state);
        if (s.ok()) s = embeds.read(out.text_embeds);
        if (!s.ok()) return to_failure(s);
        return out;
    }

    Device& device() const noexcept { return *device_; }
    const std::shared_ptr<const weights>& shared_weights() const noexcept { return weights_; }

private:
    using layers = clip_layers<C, typename Device::template packed<Format>>;
    using operands = typename layers::operands;

    static constexpr clip_text_limits filled_in(clip_text_limits l) noexcept {
        if (l.rows < 1) l.rows = 1;
        if (l.tokens < 1) l.tokens = C.max_position_embeddings;
        return l;
    }

    static constexpr status check(const CLIPTextInput& in, const clip_text_limits& l) noexcept {
        if (in.rows() < 1) return status::shape("input_ids: needs a row or more", in.rows(), 1);
        if (in.tokens() < 1 || in.tokens() > C.max_position_embeddings)
            return status::shape("input_ids: more tokens than max_position_embeddings, or none", in.tokens(),
                                 C.max_position_embeddings);
        if (in.tokens() > l.tokens)
            return status::shape("input_ids: more tokens than the limits' tokens", in.tokens(), l.tokens);
        if (in.pooled.ext()[0] != in.rows())
            return status::shape("pooled: must be [rows]", in.pooled.ext()[0], in.rows());
        if (in.attention_mask.data != nullptr &&
            (in.attention_mask.ext()[0] != in.rows() || in.attention_mask.ext()[1] != in.tokens()))
            return status::shape("attention_mask: must be [rows, tokens]", in.attention_mask.ext()[1], in.tokens());
        return {};
    }

    template <int Capacity>
    static constexpr auto plan_forward(clip_text_limits l, int layers) {
        l = filled_in(l);
        return plan_body<Device, Capacity>([&](auto& ctx) {
            CLIPTextInput in;
            in.input_ids = {nullptr, extents<dyn, dyn>(l.rows, l.tokens)};
            in.pooled = {nullptr, extents<dyn>(l.rows)};
            const output out{
                {}, {nullptr, extents<dyn, dyn, width>(l.rows, l.tokens)}, {nullptr, extents<dyn, embedding>(l.rows)}};
            return run(ctx, operands{}, in, out, 0, l.rows, layers);
        });
    }

    /// Texts first .. first + count through the whole model.
    template <class Context>
    static constexpr status run(Context& ctx, const operands& w, const CLIPTextInput& in, const output& out,
                                index_t first, index_t count, int depth) {
        workspace::scope s(ctx.memory);
        const index_t tokens = in.tokens(), rows = count * tokens;
        const auto x = ctx.temporary(extents<dyn, width>(rows)); // [rows * tokens, hidden]
        const auto sequence = view<float, extents<dyn, dyn, width>>(
            x.data, extents<dyn, dyn, width>(count, tokens)); // [rows, tokens, hidden]
        const view<const std::int32_t, extents<dyn>> ids(advance(in.input_ids.data, first * tokens),
                                                         extents<dyn>(rows));
        if (const status r = ctx.assign(x, gather(w.template table<clip_slot::tokens, width>(), ids)); !r.ok())
            return r;
        const auto positions = w.template table<clip_slot::positions, width>(); // [max_position_embeddings, hidden]
        if (const status r = ctx.assign(sequence, sequence + slice<0>(positions, 0, tokens)); !r.ok()) return r;

        attention_rows attends{count, tokens, nullptr, 0, true};
        if (in.attention_mask.data != nullptr) {
            attends.mask = advance(in.attention_mask.data, first * tokens);
            attends.masked = tokens;
        }
        if (const status r = layers::run(ctx, w, x, attends, depth); !r.ok()) return r;

        const view<float, extents<dyn, width>> last(advance(out.last_hidden_state.data, first * tokens * width),
                                                    extents<dyn, width>(rows));
        if (const status r = ctx.assign(last, layers::final_norm(w, x)); !r.ok()) return r;
        // The pooled rows count from the first text of all.
        const view<const float, extents<dyn, width>> all(out.last_hidden_state.data,
                                                         extents<dyn, width>(in.rows() * tokens));
        const view<const std::int32_t, extents<dyn>> pooled(advance(in.pooled.data, first), extents<dyn>(count));
        const view<float, extents<dyn, embedding>> embeds(advance(out.text_embeds.data, first * embedding),
                                                          extents<dyn, embedding>(count));
        return ctx.assign(embeds, layers::project(w, gather(all, pooled)));
    }

    Device* device_;
    std::shared_ptr<const weights> weights_;
};

template <CLIPTextConfig C>
consteval CLIPTextConfig checked_text() {
    static_assert(validate<C>());
    return canonical(C);
}

} // namespace detail

/// CLIP's text encoder of a configuration (models/clip_config.hpp) on a device, its weights packed in a Format
/// (core/weight_format.hpp); with projection_dim 0 the same as CLIPTextModel.
template <CLIPTextConfig Config, class Device, class Format = f32>
using CLIPTextModelWithProjection = detail::clip_text_model<detail::checked_text<Config>(), Device, Format>;

/// The text encoder without projection: text_embeds is transformers' pooler_output.
template <CLIPTextConfig Config, class Device, class Format = f32>
using CLIPTextModel = CLIPTextModelWithProjection<without_projection(Config), Device, Format>;

} // namespace apriori
