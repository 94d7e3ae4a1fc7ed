// SPDX-License-Identifier: Apache-2.0
// diffusers' PriorTransformer: denoises a CLIP image embedding given a CLIP text embedding (Ramesh et al. 2022, unCLIP).
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/layers/attention_processors.hpp"
#include "apriori/layers/transformer_block.hpp"
#include "apriori/models/attention_choice.hpp"
#include "apriori/models/prior_input.hpp"
#include "apriori/models/prior_weights.hpp"

namespace apriori {

namespace detail {

/// x, or a norm of it.
template <norm_type Type, class X, class G, class B>
constexpr auto norm_of(const X& x, const G& g, const B& b) {
    if constexpr (Type == norm_type::layer)
        return layer_norm(x, g, b);
    else if constexpr (Type == norm_type::rms)
        return rms_norm(x, g);
    else
        return as_node(x);
}

template <activation F, class X>
constexpr auto activation_of(const X& x) {
    if constexpr (F == activation::silu)
        return silu(x);
    else if constexpr (F == activation::mish)
        return mish(x);
    else if constexpr (F == activation::gelu)
        return gelu(x);
    else
        return relu(x);
}

/// The model for a canonical configuration; see PriorTransformer below.
template <PriorConfig C, class Device, class Format, class Processors>
class prior_transformer {
public:
    static constexpr PriorConfig config = C;
    static constexpr index_t inner = C.inner_dim();
    static constexpr index_t clip = C.clip_embed_dim;
    using device_type = Device;
    using format = Format;
    using input = PriorTransformerInput<C>;
    using output = PriorTransformerOutput<C>;
    using weights = prior_weights<C, Device, Format>;
    static_assert(Processors::template fits<C.num_layers>,
                  "apriori: the attention processors do not name each layer once");

    /// A model on `device`, which must outlive it, with weights that it shares.
    prior_transformer(Device& device, std::shared_ptr<const weights> w) : device_(&device), weights_(std::move(w)) {}

    /// Loads the weights from a tensor source (io/).
    template <tensor_source Source>
    static result<prior_transformer> load(Device& device, const Source& source) {
        auto w = weights::load(device, source);
        if (!w) return w.error();
        return prior_transformer(device, std::move(*w));
    }

    /// The same weights with other attention processors: `with_attn_processor<plain_attention>()`, or
    /// `with_attn_processor<per_layer<...>>()`, `<by_name<...>>()`. Nothing is copied.
    template <class P>
    auto with_attn_processor() const {
        if constexpr (requires { P::template fits<C.num_layers>; })
            return prior_transformer<C, Device, Format, P>(*device_, weights_);
        else
            return prior_transformer<C, Device, Format, every_layer<P>>(*device_, weights_);
    }
    auto with_default_attn_processor() const { return with_attn_processor<fused_attention>(); }
    /// diffusers' attn_processors: the name of each layer's processor and what it is.
    static std::vector<std::pair<std::string, std::string>> attn_processors() {
        std::vector<std::pair<std::string, std::string>> list;
        for (int i = 0; i < C.num_layers; ++i)
            list.emplace_back(attn_processor_name(i), Processors::visit(i, [](auto p) { return decltype(p)::name; }));
        return list;
    }

    /// Bytes that forward needs for up to `l.rows` rows at a time, of up to that many tokens.
    static constexpr std::size_t workspace_bytes(limits l) {
        return plan_forward<0>(l, Processors::template distinct<C.num_layers>).workspace;
    }

    /// All launches of one forward of l.rows rows, in order, with their costs.
    static constexpr auto plan(limits l) { return plan_forward<24 + 16 * C.num_layers>(l, C.num_layers); }

    /// Predicts the denoised image embedding. `to` receives [rows, tokens, clip_embed_dim] floats in the device's memory,
    /// `memory` is workspace of the device of at least workspace_bytes(l). More than l.rows rows are worked off l.rows at a
    /// time. Errors, before anything is written: shape_mismatch, invalid_argument, workspace_too_small.
    output forward(const input& in, float* to, std::span<std::byte> memory, limits l = {}) const {
        l = l.filled_in(C);
        output out{in.check(l), {to, extents<dyn, dyn, clip>(in.rows(), in.output_tokens())}};
        if (const std::size_t need = workspace_bytes(l); out.state.ok() && memory.size() < need)
            out.state = workspace_too_small(memory.size(), need);
        workspace w(memory);
        context ctx(*device_, w);
        for (index_t first = 0; first < in.rows() && out.state.ok(); first += l.rows) {
            const index_t count = in.rows() - first < l.rows ? in.rows() - first : l.rows;
            const index_t skip = first * in.output_tokens() * clip;
            out.state =
                run(ctx, weights_->operands(), in.part(first, count),
                    view<float, extents<dyn, dyn, clip>>(to + skip, extents<dyn, dyn, clip>(count, in.output_tokens())),
                    C.num_layers);
        }
        return out;
    }

    /// x = x * clip_std + clip_mean, in place, for latents x [rows, clip_embed_dim].
    status post_process_latents(const view<float, extents<dyn, clip>>& x) const {
        const auto w = weights_->operands();
        workspace none;
        return context(*device_, none)
            .assign(x, x * w.template vector<slot::clip_std>() + w.template vector<slot::clip_mean>());
    }

    Device& device() const noexcept { return *device_; }
    const std::shared_ptr<const weights>& shared_weights() const noexcept { return weights_; }

private:
    using operands = typename weights::operands_type;
    static constexpr float scale = folded_attention_scale(C.attention_head_dim) != 1.0f ? 1.0f : [] {
        float root = static_cast<float>(C.attention_head_dim); // Newton's iteration: std::sqrt is not constexpr
        for (int i = 0; i < 64; ++i) root = 0.5f * (root + static_cast<float>(C.attention_head_dim) / root);
        return 1.0f / root;
    }();

    template <int Capacity>
    static constexpr auto plan_forward(limits l, int layers) {
        l = l.filled_in(C);
        return plan_body<Device, Capacity>([&](auto& ctx) {
            const view<float, extents<dyn, dyn, clip>> to(
                nullptr, extents<dyn, dyn, clip>(l.rows, input::shaped(l).output_tokens()));
            return run(ctx, operands{}, input::shaped(l), to, layers);
        });
    }

    static constexpr auto block(const operands& w, int i) {
        return transformer_block<C.num_attention_heads, inner, typename Device::template packed<Format>>{
            w.template vector<slot::norm1>(i),  w.template vector<slot::norm1_bias>(i),
            w.template matrix<slot::to_qkv>(i), w.template vector<slot::to_qkv_bias>(i),
            w.template matrix<slot::to_out>(i), w.template vector<slot::to_out_bias>(i),
            w.template vector<slot::norm3>(i),  w.template vector<slot::norm3_bias>(i),
            w.template matrix<slot::ff_in>(i),  w.template vector<slot::ff_in_bias>(i),
            w.template matrix<slot::ff_out>(i), w.template vector<slot::ff_out_bias>(i)};
    }

    /// Rows first .. of positional_embedding as tokens `first ..` of a sequence take them: [count, inner], and zeros where
    /// the table is shorter than the sequence, which diffusers pads with zeros in front of hidden_states and behind.
    static constexpr auto positions(const operands& w, const input& in, index_t first, index_t count) {
        using V = view<const float, extents<dyn, inner>, layout::rows>;
        const auto table = w.template vector<slot::positions>();
        const auto zeros = w.template vector<slot::zeros>();
        const index_t front = in.tokens() == C.positions() ? 0 : in.first_hidden();
        const bool inside = first >= front && first + count <= front + C.positions();
        return inside ? V(advance(table.data, (first - front) * inner), extents<dyn, inner>(count), {inner, 1})
                      : V(zeros.data, extents<dyn, inner>(count), {0, 1});
    }

    /// One chunk of rows through the whole model: [rows, tokens, inner] in the workspace.
    template <class Context>
    static constexpr status run(Context& ctx, const operands& w, const input& in,
                                const view<float, extents<dyn, dyn, clip>>& out, int layers) {
        workspace::scope s(ctx.memory);
        const index_t rows = in.rows(), tokens = in.tokens();
        const auto x = ctx.temporary(extents<dyn, inner>(rows * tokens)); // [rows * tokens, inner]
        const auto sequence = view<float, extents<dyn, dyn, inner>>(
            x.data, extents<dyn, dyn, inner>(rows, tokens)); // [rows, tokens, inner]
        if (const status r = embed(ctx, w, in, sequence); !r.ok()) return r;
        if constexpr (C.norm_in_type != norm_type::none)
            if (const status r = ctx.assign(x, norm_of<C.norm_in_type>(x, w.template vector<slot::norm_in>(),
                                                                       w.template vector<slot::norm_in_bias>()));
                !r.ok())
                return r;
        const attention_rows attends = in.attends();
        for (int i = 0; i < layers; ++i) {
            const status r = Processors::visit(
                i, [&](const auto& processor) { return block(w, i)(ctx, x, attends, scale, processor); });
            if (!r.ok()) return r;
        }
        const auto answer =
            slice<1>(sequence, in.first_answer(), in.output_tokens()); // [rows, 1 or hidden tokens, inner]
        return ctx.assign(out, linear(layer_norm(answer, w.template vector<slot::norm_out>(),
                                                 w.template vector<slot::norm_out_bias>()),
                                      w.template matrix<slot::proj_out>(), w.template vector<slot::proj_out_bias>()));
    }

    /// Token t of every row: [rows, inner].
    static constexpr auto token(const view<float, extents<dyn, dyn, inner>>& sequence, index_t t) {
        return view<float, extents<dyn, inner>, layout::rows>(
            advance(sequence.data, t * inner), extents<dyn, inner>(sequence.ext()[0]), {sequence.stride(0), 1});
    }

    /// The sequence [text, proj, time, hidden states, prd], each with its positions.
    template <class Context>
    static constexpr status embed(Context& ctx, const operands& w, const input& in,
                                  const view<float, extents<dyn, dyn, inner>>& sequence) {
        const index_t text = in.text_tokens(), proj = in.proj_tokens(), hidden = in.hidden_tokens();
        if (text > 0) {
            const auto part = slice<1>(sequence, 0, text); // [rows, text, inner]
            const auto position = positions(w, in, 0, text);
            status r;
            if constexpr (C.encoder_hid_proj_type == hid_proj_type::linear)
                r = ctx.assign(part, linear(in.encoder_hidden_states.as_view(), w.template matrix<slot::text_proj>(),
                                            w.template vector<slot::text_proj_bias>()) +
                                         position);
            else
                r = ctx.assign(part, in.encoder_hidden_states.as_view() + position);
            if (!r.ok()) return r;
        }
        const auto pooled = norm_of<C.embedding_proj_norm_type>(
            in.proj_embedding.as_view(), w.template vector<slot::embedding_proj_norm>(),
            w.template vector<slot::embedding_proj_norm_bias>()); // [rows, proj, embedding_proj_dim]
        if (const status r =
                ctx.assign(slice<1>(sequence, text, proj), linear(pooled, w.template matrix<slot::embedding_proj>(),
                                                                  w.template vector<slot::embedding_proj_bias>()) +
                                                               positions(w, in, text, proj));
            !r.ok())
            return r;
        if (const status r = embed_time(ctx, w, in, token(sequence, text + proj)); !r.ok()) return r;
        if (const status r = ctx.assign(slice<1>(sequence, in.first_hidden(), hidden),
                                        linear(in.hidden_states.as_view(), w.template matrix<slot::proj_in>(),
                                               w.template vector<slot::proj_in_bias>()) +
                                            positions(w, in, in.first_hidden(), hidden));
            !r.ok())
            return r;
        if constexpr (C.added_emb_type == added_emb::prd)
            return ctx.assign(token(sequence, in.first_hidden() + hidden),
                              w.template vector<slot::prd>() + positions(w, in, in.first_hidden() + hidden, 1));
        else
            return {};
    }

    template <class Context, class Out>
    static constexpr status embed_time(Context& ctx, const operands& w, const input& in, const Out& out) {
        workspace::scope s(ctx.memory);
        const auto waves = ctx.temporary(extents<dyn, inner>(in.rows())); // [rows, inner]
        if (const status r = embed_timesteps(ctx, waves, in.timestep_column(), w.template vector<slot::frequencies>());
            !r.ok())
            return r;
        const auto h = activation_of<C.time_embed_act_fn>(
            linear(waves, w.template matrix<slot::time_1>(),
                   w.template vector<slot::time_1_bias>())); // [rows, time_embed_dim]
        return ctx.assign(out, linear(h, w.template matrix<slot::time_2>(), w.template vector<slot::time_2_bias>()) +
                                   positions(w, in, in.first_hidden() - 1, 1));
    }

    Device* device_;
    std::shared_ptr<const weights> weights_;
};

template <PriorConfig C>
consteval PriorConfig checked() {
    static_assert(validate<C>());
    return canonical(C);
}

} // namespace detail

/// PriorTransformer of a configuration on a device. Configurations that mean the same are the same type.
///   Config      a PriorConfig: a preset, or written out, or from a config.json by apriori_add_config
///   Device      cpu<>, eigen, cuda<> or one of the user's own (device/concept.hpp)
///   Format      of the packed weights (core/weight_format.hpp)
///   Processors  every_layer<P>, per_layer<P...> or by_name<...> (models/attention_choice.hpp)
template <PriorConfig Config, class Device, class Format = f32, class Processors = every_layer<>>
using PriorTransformer = detail::prior_transformer<detail::checked<Config>(), Device, Format, Processors>;

} // namespace apriori
