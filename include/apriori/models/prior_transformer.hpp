// SPDX-License-Identifier: Apache-2.0
// diffusers' PriorTransformer: denoises a CLIP image embedding given a CLIP text embedding (Ramesh et al. 2022, unCLIP).
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/layers/attention_processors.hpp"
#include "apriori/models/attention_choice.hpp"
#include "apriori/models/prior_input.hpp"
#include "apriori/models/prior_layers.hpp"
#include "apriori/models/prior_step_passes.hpp"
#include "apriori/models/prior_weights.hpp"

namespace apriori {

namespace detail {

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
    /// `memory` is workspace of the device of at least workspace_bytes(l), aligned to buffer_alignment. More than l.rows rows are worked off l.rows at a
    /// time. Errors, before anything is written: shape_mismatch, invalid_argument, workspace_too_small.
    output forward(const input& in, float* to, std::span<std::byte> memory, limits l = {}) const {
        l = l.filled_in(C);
        output out{in.check(l), {to, extents<dyn, dyn, clip>(in.rows(), in.output_tokens())}};
        if (out.state.ok()) out.state = check_workspace(memory, workspace_bytes(l));
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

    /// True where step serves: a model that takes more than one, with the device's own attention in every layer.
    static constexpr bool has_step = C.time_embedding && std::is_same_v<Processors, every_layer<>>;
    /// Tokens of latents that a condition leaves room for: 1 but for unusual configurations.
    static index_t hidden_tokens(const prior_condition<Device>& c) noexcept { return passes::hidden_tokens(*c.prefix); }

    // ---- exact incremental sampling (models/prior_condition_passes.hpp, prior_step_passes.hpp) ---------------------------------------------------

    /// Keys and values of the text and pooled rows of prompts with attention masks: once for each prompt.
    result<std::shared_ptr<const prior_prefix<Device>>> prefix(std::span<const prior_prompt> prompts) const {
        if (!C.time_embedding) return to_failure(one_pass());
        return passes::make_prefix(*device_, weights_->operands(), weights_->hash(), prompts);
    }
    /// Keys and values of the time rows of a prefix's prompts for all timesteps, in one pass.
    result<std::shared_ptr<const prior_condition<Device>>> condition(std::shared_ptr<const prior_prefix<Device>> prefix,
                                                                     std::span<const float> timesteps) const {
        if constexpr (C.time_embedding)
            return passes::make_condition(*device_, weights_->operands(), weights_->hash(), std::move(prefix),
                                          timesteps);
        else
            return to_failure(one_pass());
    }
    /// Bytes that step needs for up to l.rows steps over l.samples latents at a time.
    static constexpr std::size_t step_workspace_bytes(step_limits l) {
        return passes::workspace_bytes(l.rows, l.samples, l.hidden_tokens, l.max_keys(C));
    }
    /// All launches of one step, in order, with their costs.
    static constexpr auto step_plan(step_limits l) {
        return plan_body<Device, 24 + 16 * C.num_layers>(
            [&](auto& ctx) { return passes::plan_step(ctx, l.rows, l.samples, l.hidden_tokens, l.max_keys(C)); });
    }
    /// Predicts the denoised image embeddings of latents x_t [samples * hidden tokens, embedding_dim] for each of `steps`, in
    /// the device's memory: `to` receives [steps, 1 or hidden tokens, clip_embed_dim]. Equal to forward with the prompts'
    /// masks, within rounding. Neither allocates nor throws; more steps than l.rows are worked off l.rows at a time.
    status step(const view<const float, extents<dyn, C.embedding_dim>>& x_t, std::span<const prior_step<Device>> steps,
                float* to, std::span<std::byte> memory, step_limits l = {}) const {
        if (!C.time_embedding) return one_pass();
        if (!has_step) return {errc::unsupported, "step: this model has attention processors of its own; use forward"};

        return passes::run_steps(*device_, weights_->operands(), weights_->hash(), x_t, steps, to, memory, l);
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
    using layers = prior_layers<C, typename Device::template packed<Format>>;
    using operands = typename layers::operands;
    using passes = incremental<C, Device, Format>;

    static constexpr status one_pass() {
        return {errc::unsupported, "a model without time_embedding takes one pass, not steps; use forward"};
    }
    template <int Capacity>
    static constexpr auto plan_forward(limits l, int layers) {
        l = l.filled_in(C);
        return plan_body<Device, Capacity>([&](auto& ctx) {
            const view<float, extents<dyn, dyn, clip>> to(
                nullptr, extents<dyn, dyn, clip>(l.rows, input::shaped(l).output_tokens()));
            return run(ctx, operands{}, input::shaped(l), to, layers);
        });
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
                                const view<float, extents<dyn, dyn, clip>>& out, int count) {
        workspace::scope s(ctx.memory);
        const index_t rows = in.rows(), tokens = in.tokens();
        const auto x = ctx.temporary(extents<dyn, inner>(rows * tokens)); // [rows * tokens, inner]
        const auto sequence = view<float, extents<dyn, dyn, inner>>(
            x.data, extents<dyn, dyn, inner>(rows, tokens)); // [rows, tokens, inner]
        if (const status r = embed(ctx, w, in, sequence); !r.ok()) return r;
        if (const status r = layers::norm_in(ctx, w, x); !r.ok()) return r;
        const attention_rows attends = in.attends();
        // the rows of the answer, [rows, 1 or hidden tokens, inner]: all that is wanted of the last layer
        const auto answer = [&](const auto& y) {
            return slice<1>(view<float, extents<dyn, dyn, inner>>(y.data, extents<dyn, dyn, inner>(rows, tokens)),
                            in.first_answer(), in.output_tokens());
        };
        for (int i = 0; i < count; ++i) {
            const status r = Processors::visit(i, [&](const auto& processor) {
                const auto block = layers::block(w, i);
                return i + 1 < count ? block(ctx, x, attends, layers::scale, processor)
                                     : block.picked(ctx, x, attends, layers::scale, processor, answer);
            });
            if (!r.ok()) return r;
        }
        return ctx.assign(out, layers::answer_rows(w, answer(x)));
    }

    /// Token t of every row: [rows, inner].
    static constexpr auto token(const view<float, extents<dyn, dyn, inner>>& sequence, index_t t) {
        return view<float, extents<dyn, inner>, layout::rows>(
            advance(sequence.data, t * inner), extents<dyn, inner>(sequence.ext()[0]), {sequence.stride(0), 1});
    }

    /// The sequence [text, proj, time (if the model has it), hidden states, prd], each with its positions.
    template <class Context>
    static constexpr status embed(Context& ctx, const operands& w, const input& in,
                                  const view<float, extents<dyn, dyn, inner>>& sequence) {
        const index_t text = in.text_tokens(), proj = in.proj_tokens(), hidden = in.hidden_tokens(),
                      first_hidden = in.first_hidden();
        status r;
        if (text > 0)
            r = ctx.assign(slice<1>(sequence, 0, text),
                           layers::text_rows(w, in.encoder_hidden_states.as_view()) + positions(w, in, 0, text));
        if (r.ok())
            r = ctx.assign(slice<1>(sequence, text, proj),
                           layers::pooled_rows(w, in.proj_embedding.as_view()) + positions(w, in, text, proj));
        if constexpr (C.time_embedding)
            if (r.ok())
                r = layers::embed_time(ctx, w, token(sequence, text + proj), in.timestep_column(),
                                       positions(w, in, text + proj, 1));
        if (r.ok())
            r = ctx.assign(slice<1>(sequence, first_hidden, hidden),
                           layers::latent_rows(w, in.hidden_states.as_view()) + positions(w, in, first_hidden, hidden));
        if (!r.ok()) return r;
        if constexpr (C.added_emb_type == added_emb::prd)
            return ctx.assign(token(sequence, first_hidden + hidden),
                              w.template vector<slot::prd>() + positions(w, in, first_hidden + hidden, 1));
        else
            return {};
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
