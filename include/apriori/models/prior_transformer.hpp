// SPDX-License-Identifier: Apache-2.0
// diffusers' PriorTransformer: denoises a CLIP image embedding given a CLIP text embedding
// (Ramesh et al. 2022, unCLIP).
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/layers/attention_processors.hpp"
#include "apriori/models/attention_choice.hpp"
#include "apriori/models/incremental_prior.hpp"
#include "apriori/models/model.hpp"
#include "apriori/models/prior_input.hpp"
#include "apriori/models/prior_layers.hpp"

#include <string>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

/// The architecture (models/model.hpp) of a canonical configuration.
template <PriorConfig C, class Processors>
struct prior_architecture {
    static constexpr PriorConfig config = C;
    using limits = apriori::limits;
    using input = PriorTransformerInput<C>;
    using output = PriorTransformerOutput<C>;
    static constexpr int layers = C.num_layers, distinct_layers = Processors::template distinct<C.num_layers>;
    static constexpr int launches = 24 + 16 * C.num_layers;

    static constexpr index_t inner = C.inner_dim();
    using sequence_view = view<float, extents<dyn, dyn, inner>>;

    /// Passes rows [rows, tokens, inner] in the workspace through the whole model.
    template <class Context, class W>
    static constexpr void run(Context& to, const W& w, const input& all, const output& out, index_t first,
                              index_t count, int depth) {
        const input in = all.part(first, count);
        const prior_layers<C, W> network{w};
        const auto temporaries = to.scope();
        const auto x = to.temporary(extents<dyn, inner>(count * in.tokens()));              // [rows * tokens, inner]
        const sequence_view sequence(x.data, extents<dyn, dyn, inner>(count, in.tokens())); // [rows, tokens, inner]
        embed(to, network, in, sequence);
        network.norm_in(to, x);
        // the rows of the answer, [rows, 1 or hidden tokens, inner]: the only ones that the last layer computes
        const auto answer = [&](const auto& y) {
            return slice<1>(reshape(y, sequence.shape), in.first_answer(), in.output_tokens());
        };
        for (int i = 0; i < depth; ++i)
            Processors::visit(i, [&](const auto& processor) {
                const auto block = network.block(i);
                if (i + 1 < depth)
                    block(to, x, in.attends(), network.scale, processor);
                else
                    block.picked(to, x, in.attends(), network.scale, processor, answer);
            });
        to(slice<0>(out.predicted_image_embedding, first, count)) = network.answer_rows(answer(x));
    }

private:
    /// The sequence [text, proj, time (if the model has it), hidden states, prd], each with its positions added.
    template <class Context, class Layers>
    static constexpr void embed(Context& to, const Layers& network, const input& in, const sequence_view& sequence) {
        const index_t text = in.text_tokens(), proj = in.proj_tokens(), hidden = in.hidden_tokens(),
                      first_hidden = in.first_hidden();
        const auto tokens = [&](index_t first, index_t count) { return slice<1>(sequence, first, count); };
        const auto at = [&](index_t first, index_t count) { return positions(network.w, in, first, count); };
        if (text > 0) to(tokens(0, text)) = network.text_rows(in.encoder_hidden_states.as_view()) + at(0, text);
        to(tokens(text, proj)) = network.pooled_rows(in.proj_embedding.as_view()) + at(text, proj);
        if constexpr (C.time_embedding)
            network.embed_time(to, token(sequence, text + proj), in.timestep_column(), at(text + proj, 1));
        to(tokens(first_hidden, hidden)) = network.latent_rows(in.hidden_states.as_view()) + at(first_hidden, hidden);
        if constexpr (input::has_prd)
            to(token(sequence, first_hidden + hidden)) = network.w["prd_embedding"_w] + at(first_hidden + hidden, 1);
    }

    /// The rows of positional_embedding [count, inner] that tokens from `first` on of a sequence take. If the
    /// table is shorter than the sequence, these are zeros before and after it, as diffusers pads it before
    /// hidden_states and at the end.
    static constexpr auto positions(const auto& w, const input& in, index_t first, index_t count) {
        const index_t front = in.tokens() == C.positions() ? 0 : in.first_hidden();
        const bool inside = first >= front && first + count <= front + C.positions();
        return inside ? rows_of<inner>(advance(w["positional_embedding"_w].data, (first - front) * inner), count, inner)
                      : rows_of<inner>(w["zeros"_w].data, count, 0);
    }

    /// Token t of every row: [rows, inner].
    static constexpr auto token(const sequence_view& sequence, index_t t) {
        return rows_of<inner>(advance(sequence.data, t * inner), sequence.ext()[0], sequence.stride(0));
    }
};

/// The model for a canonical configuration; see PriorTransformer below.
template <PriorConfig C, class Device, class Format, class Processors>
class prior_transformer : public model<prior_transformer<C, Device, Format, Processors>,
                                       prior_architecture<C, Processors>, Device, Format> {
    using base = model<prior_transformer, prior_architecture<C, Processors>, Device, Format>;

public:
    static constexpr index_t inner = C.inner_dim();
    static constexpr index_t clip = C.clip_embed_dim;
    using typename base::input, typename base::output;
    static_assert(Processors::template fits<C.num_layers>,
                  "apriori: the attention processors do not name each layer once");

    using base::base;

    /// A model with the same weights and other attention processors: `with_attn_processor<plain_attention>()`,
    /// `with_attn_processor<per_layer<...>>()` or `<by_name<...>>()`. Nothing is copied.
    template <class P>
    auto with_attn_processor() const {
        if constexpr (requires { P::template fits<C.num_layers>; })
            return this->template on_the_same_weights<prior_transformer<C, Device, Format, P>>();
        else
            return this->template on_the_same_weights<prior_transformer<C, Device, Format, every_layer<P>>>();
    }
    auto with_default_attn_processor() const { return with_attn_processor<fused_attention>(); }
    /// diffusers' attn_processors: the name of each layer's processor, and the processor's own name.
    static std::vector<std::pair<std::string, std::string>> attn_processors() {
        std::vector<std::pair<std::string, std::string>> list;
        for (int i = 0; i < C.num_layers; ++i)
            Processors::visit(i, [&](auto p) { list.emplace_back(attn_processor_name(i), decltype(p)::name); });
        return list;
    }

    /// Predicts the denoised image embedding. `to` receives [rows, tokens, clip_embed_dim] floats in the device's
    /// memory; `memory` is workspace of the device of at least workspace_bytes(l), aligned to buffer_alignment. More
    /// than l.rows rows are processed l.rows at a time. Errors, before anything is written: shape_mismatch,
    /// invalid_argument, workspace_too_small.
    output forward(const input& in, std::span<float> to, std::span<std::byte> memory, limits l = {}) const {
        return this->forward_into(output::of(in, to), in, memory, l);
    }

    // ---- exact incremental sampling (models/incremental_prior.hpp)
    // -----------------------------------------------------

    /// True if step can be used: the model needs more than one step, and has the device's own attention in every layer.
    static constexpr bool has_step = C.time_embedding && std::is_same_v<Processors, every_layer<>>;
    /// The latent tokens that a kv cache is for: 1 except in unusual configurations.
    static index_t hidden_tokens(const prior_kv_cache<Device>& c) noexcept {
        return incremental::hidden_tokens(*c.prefix);
    }

    /// Keys and values of the text and pooled rows of prompts with attention masks, computed once for each prompt.
    /// Errors: shape_mismatch; invalid_argument for no prompts, or one without a mask.
    result<std::shared_ptr<const prior_prefix<Device>>> prefix(std::span<const prior_prompt> prompts) const {
        if (!C.time_embedding) return to_failure(one_pass());
        return passes().prefix(prompts);
    }
    /// Keys and values of the time rows of a prefix's prompts for all timesteps, in one pass.
    result<std::shared_ptr<const prior_kv_cache<Device>>> kv_cache(std::shared_ptr<const prior_prefix<Device>> prefix,
                                                                   std::span<const float> timesteps) const {
        if constexpr (C.time_embedding)
            return passes().kv_cache(std::move(prefix), timesteps);
        else
            return to_failure(one_pass());
    }
    /// Bytes of workspace that step needs for up to l.rows steps over l.samples latents at a time.
    static constexpr std::size_t step_workspace_bytes(step_limits l) { return incremental::workspace_bytes(l); }
    /// All launches of one step, in order, with their costs.
    static constexpr auto step_plan(step_limits l) { return incremental::plan(l); }
    /// Predicts the denoised image embeddings of latents x_t [samples * hidden tokens, embedding_dim] for each
    /// of `steps`, in the device's memory: `to` receives [steps, 1 or hidden tokens, clip_embed_dim]. Equals
    /// forward with the prompts' masks up to rounding. Neither allocates nor throws; more steps than l.rows
    /// are processed l.rows at a time.
    status step(const view<const float, extents<dyn, C.embedding_dim>>& x_t, std::span<const prior_step<Device>> steps,
                std::span<float> to, std::span<std::byte> memory, step_limits l = {}) const {
        if (!C.time_embedding) return one_pass();
        if (!has_step) return own_processors();
        return passes().step(x_t, steps, to, memory, l);
    }
    /// Steps over latents 0 .. latents that are made repeatedly, with everything they need in the device's memory.
    ///   timesteps   [times, steps]: the timestep `k` of each step in its kv cache, for each time; the `k` of
    ///               `steps` is ignored
    /// The steps' kv caches must outlive the result.
    result<prepared_steps<Device>> prepare_steps(std::span<const prior_step<Device>> steps, index_t latents,
                                                 std::span<const std::int32_t> timesteps, step_limits l = {}) const {
        if (!C.time_embedding) return to_failure(one_pass());
        if (!has_step) return to_failure(own_processors());
        return passes().prepare_steps(steps, latents, timesteps, l);
    }
    /// The same for prepared steps, at the timesteps that they were last set to. It only makes
    /// launches, so a device can record it.
    status step(const view<const float, extents<dyn, C.embedding_dim>>& x_t, const prepared_steps<Device>& steps,
                std::span<float> to, std::span<std::byte> memory) const {
        if (!has_step) return own_processors();
        return passes().step(x_t, steps, to, memory);
    }

    /// x = x * clip_std + clip_mean, in place, for latents x [rows, clip_embed_dim].
    status post_process_latents(const view<float, extents<dyn, clip>>& x) const {
        const auto w = this->weights_block().operands();
        workspace no_temporaries;
        context to(this->device(), no_temporaries);
        to(x) = x * w["clip_std"_w] + w["clip_mean"_w];
        return to.state;
    }

private:
    using incremental = incremental_prior<C, Device, Format>;

    incremental passes() const { return incremental(this->device(), this->weights_block()); }
    static constexpr status own_processors() {
        return {errc::unsupported, "step: this model has attention processors of its own; use forward"};
    }
    static constexpr status one_pass() {
        return {errc::unsupported, "a model without time_embedding takes one pass, not steps; use forward"};
    }
};

} // namespace detail

/// PriorTransformer of a configuration on a device. Configurations that mean the same are the same type.
///   Config      a PriorConfig: a preset, or written out, or from a config.json with apriori_add_config
///   Device      cpu<>, eigen, cuda<> or a user's device (device/concept.hpp)
///   Format      the format of the packed weights (core/weight_format.hpp)
///   Processors  every_layer<P>, per_layer<P...> or by_name<...> (models/attention_choice.hpp)
template <PriorConfig Config, class Device, class Format = f32, class Processors = every_layer<>>
using PriorTransformer = detail::prior_transformer<detail::checked<Config>(), Device, Format, Processors>;

} // namespace apriori
APRIORI_END_EXACT_MATH
