// SPDX-License-Identifier: Apache-2.0
// Exact incremental sampling, what is done at every step: x_t and prd of each sample and guidance branch, over the keys and
// values that models/prior_condition_passes.hpp left.
#pragma once

#include "apriori/models/prior_condition_passes.hpp"

namespace apriori::detail {

/// The passes of incremental sampling; PriorTransformer's members call them.
template <PriorConfig C, class Device, class Format>
struct incremental : condition_passes<C, Device, Format> {
    using base = condition_passes<C, Device, Format>;
    using base::clip, base::hidden_tokens, base::inner, base::place, base::prd;
    using typename base::index_view, typename base::layers, typename base::operands, typename base::prefix,
        typename base::rows_view;
    using step_type = prior_step<Device>;

    /// Rows of the transformer for each denoising: the latents' tokens, and prd.
    static constexpr index_t rows_of(index_t hidden) noexcept { return hidden + prd; }
    static constexpr index_t answers_of(index_t hidden) noexcept { return prd != 0 ? 1 : hidden; }

    /// The index arrays of a step, in the device's memory.
    struct step_rows {
        const attention_group* all = nullptr;  ///< every row is a query
        const attention_group* last = nullptr; ///< of the last layer: only the answer is
        const std::int32_t* order = nullptr;
        const std::int32_t* positions = nullptr;
        index_t max_keys = 0;
        std::int64_t scores = 0, last_scores = 0;
    };

    static status check(std::span<const step_type> steps, index_t latents, std::uint64_t hash) {
        if (steps.empty()) return status::invalid("step: at least one row is needed");
        const auto* first = steps.front().condition;
        for (const step_type& s : steps) {
            if (s.condition == nullptr) return status::invalid("step: a row has no condition");
            if (s.condition->cache.weights_hash != hash)
                return status::invalid("step: the condition was made with other weights");
            if (s.condition->prefix->proj_tokens != first->prefix->proj_tokens)
                return status::invalid("step: conditions of different proj tokens", s.condition->prefix->proj_tokens,
                                       first->prefix->proj_tokens);
            if (s.prompt < 0 || s.prompt >= s.condition->prompts())
                return status::invalid("step: no such prompt in the condition", s.prompt, s.condition->prompts() - 1);
            if (s.k < 0 || s.k >= static_cast<index_t>(s.condition->timesteps.size()))
                return status::invalid("step: no such timestep in the condition", s.k,
                                       static_cast<std::int64_t>(s.condition->timesteps.size()) - 1);
            if (s.latent < 0 || s.latent >= latents)
                return status::invalid("step: no such latents", s.latent, latents - 1);
        }
        return {};
    }

    /// Writes the index arrays into the workspace, a few at a time by way of the stack.
    template <class Context>
    static status write_rows(Context& ctx, std::span<const step_type> steps, index_t latent_rows, index_t hidden,
                             step_rows& out) {
        const auto count = static_cast<index_t>(steps.size()), own = rows_of(hidden);
        auto* all = ctx.memory.template take<attention_group>(count);
        auto* last = ctx.memory.template take<attention_group>(count);
        auto* order = ctx.memory.template take<std::int32_t>(count * own);
        auto* positions = ctx.memory.template take<std::int32_t>(count * own);
        if (ctx.memory.overflowed()) return workspace_too_small(0, ctx.memory.high_water());
        constexpr index_t stretch = 16;
        attention_group every[stretch], answer[stretch];
        for (index_t first = 0; first < count; first += stretch) {
            const index_t n = std::min(stretch, count - first);
            for (index_t i = 0; i < n; ++i) {
                const step_type& s = steps[static_cast<std::size_t>(first + i)];
                const prefix& p = *s.condition->prefix;
                const row_range seen = p.prompts[static_cast<std::size_t>(s.prompt)];
                const auto timesteps = static_cast<index_t>(s.condition->timesteps.size());
                const index_t row = (first + i) * own, answers = answers_of(hidden);
                every[i] = {row,
                            row,
                            own,
                            row,
                            {p.cache.range(seen), s.condition->cache.range({s.prompt * timesteps + s.k, 1})}};
                answer[i] = every[i];
                answer[i].queries = answers;
                answer[i].first_query = row + own - answers;
                answer[i].first_out = (first + i) * answers;
                out.max_keys = std::max(out.max_keys, seen.count + 1 + own);
                out.scores += own * (seen.count + 1) + own * (own + 1) / 2;
                out.last_scores += answers * (seen.count + 1 + own);
            }
            if (const status s = ctx.device.upload(all + first, every, static_cast<std::size_t>(n) * sizeof *every);
                !s.ok())
                return s;
            if (const status s = ctx.device.upload(last + first, answer, static_cast<std::size_t>(n) * sizeof *answer);
                !s.ok())
                return s;
        }
        std::int32_t from[stretch], at[stretch];
        for (index_t first = 0; first < count * own; first += stretch) {
            const index_t n = std::min(stretch, count * own - first);
            for (index_t i = 0; i < n; ++i) {
                const index_t j = (first + i) % own;
                const step_type& s = steps[static_cast<std::size_t>((first + i) / own)];
                from[i] = static_cast<std::int32_t>(j < hidden ? s.latent * hidden + j : latent_rows);
                at[i] = static_cast<std::int32_t>(C.num_embeddings + s.condition->prefix->proj_tokens + 1 + j);
            }
            if (const status s = ctx.device.upload(order + first, from, static_cast<std::size_t>(n) * sizeof *from);
                !s.ok())
                return s;
            if (const status s = ctx.device.upload(positions + first, at, static_cast<std::size_t>(n) * sizeof *at);
                !s.ok())
                return s;
        }
        out.all = all;
        out.last = last;
        out.order = order;
        out.positions = positions;
        return {};
    }

    /// Latents x [latents * hidden, embedding_dim] -> answers [steps, 1 or hidden tokens, clip_embed_dim], through `layer_count`
    /// layers: all of the model's, or fewer of them for a plan of the workspace.
    template <class Context, class X, class Out>
    static constexpr status step(Context& ctx, const operands& w, const X& x_t, index_t count, index_t hidden,
                                 const step_rows& index, int layer_count, const Out& out) {
        const index_t own = rows_of(hidden), rows = count * own, answers = answers_of(hidden),
                      latent_rows = x_t.ext()[0];
        const rows_view table = ctx.temporary(extents<dyn, inner>(latent_rows + prd)); // [latent rows and prd, inner]
        const rows_view x = ctx.temporary(extents<dyn, inner>(rows));                  // [count * own, inner]
        if (const status s = ctx.assign(slice<0>(table, 0, latent_rows), layers::latent_rows(w, x_t)); !s.ok())
            return s;
        if constexpr (prd != 0)
            if (const status s = ctx.assign(slice<0>(table, latent_rows, 1), w.template vector<slot::prd>()); !s.ok())
                return s;
        if (const status s = place(ctx, w, x, table, index_view(index.order, extents<dyn>(rows)),
                                   index_view(index.positions, extents<dyn>(rows)));
            !s.ok())
            return s;
        const auto qkv = ctx.temporary(extents<dyn, 3 * inner>(rows)); // [count * own, 3 * inner]
        for (int i = 0; i + 1 < layer_count; ++i) {
            const auto block = layers::block(w, i);
            if (const status s = ctx.assign(qkv, block.qkv_of(x)); !s.ok()) return s;
            if (const status s = block.attend_cached(
                    ctx, x, qkv, {index.all, count, index.max_keys, rows, index.scores, true}, i, layers::scale);
                !s.ok())
                return s;
        }
        const auto block = layers::block(w, layer_count - 1);
        if (const status s = ctx.assign(qkv, block.qkv_of(x)); !s.ok()) return s;
        const attention_groups last{index.last, count, index.max_keys, count * answers, index.last_scores, true};
        // with prd the answers are every own-th row; without it, all rows
        const view<float, extents<dyn, inner>, layout::rows> y(advance(x.data, (own - answers) * inner),
                                                               extents<dyn, inner>(count * answers),
                                                               {prd != 0 ? own * inner : inner, 1});
        if (const status s = block.attend_cached(ctx, y, qkv, last, layer_count - 1, layers::scale); !s.ok()) return s;
        return ctx.assign(out, layers::answer_rows(w, y));
    }

    static status run_steps(Device& device, const operands& w, std::uint64_t hash,
                            const view<const float, extents<dyn, C.embedding_dim>>& x_t,
                            std::span<const step_type> steps, float* to, std::span<std::byte> memory, step_limits l) {
        const index_t hidden = l.hidden_tokens;
        if (l.rows < 1 || l.samples < 1 || hidden < 1)
            return status::invalid("step: limits.rows, samples and hidden_tokens must be 1 or more",
                                   std::min({l.rows, l.samples, hidden}), 1);
        if (const status s = check(steps, x_t.ext()[0] / hidden, hash); !s.ok()) return s;
        if (hidden != hidden_tokens(*steps.front().condition->prefix) || x_t.ext()[0] % hidden != 0 ||
            x_t.ext()[0] > l.samples * hidden)
            return status::shape(
                "step: x_t must have at most limits.samples * limits.hidden_tokens rows, in whole samples",
                x_t.ext()[0], l.samples * hidden);
        if (const status s = check_workspace(memory, workspace_bytes(l.rows, l.samples, hidden, l.max_keys(C)));
            !s.ok())
            return s;
        for (std::size_t first = 0; first < steps.size(); first += static_cast<std::size_t>(l.rows)) {
            const auto part = steps.subspan(first, std::min(static_cast<std::size_t>(l.rows), steps.size() - first));
            const auto count = static_cast<index_t>(part.size());
            workspace work(memory);
            context<Device> ctx(device, work);
            step_rows index;
            status s = write_rows(ctx, part, x_t.ext()[0], hidden, index);
            const view<float, extents<dyn, clip>> out(to + static_cast<index_t>(first) * answers_of(hidden) * clip,
                                                      extents<dyn, clip>(count * answers_of(hidden)));
            if (s.ok()) s = step(ctx, w, x_t, count, hidden, index, C.num_layers, out);
            if (!s.ok()) return s;
        }
        return {};
    }

    static constexpr std::size_t workspace_bytes(index_t count, index_t latents, index_t hidden, index_t max_keys) {
        const std::size_t arrays = plan_arrays(count, hidden);
        constexpr int distinct = std::min(C.num_layers, 2); // the last layer, and any before it: those are alike
        return arrays + plan_body<Device, 0>([&](auto& ctx) {
                            return plan_step(ctx, count, latents, hidden, max_keys, distinct);
                        }).workspace;
    }
    template <class Context>
    static constexpr status plan_step(Context& ctx, index_t count, index_t latents, index_t hidden, index_t max_keys,
                                      int layer_count = C.num_layers) {
        const view<const float, extents<dyn, C.embedding_dim>> x(nullptr,
                                                                 extents<dyn, C.embedding_dim>(latents * hidden));
        const view<float, extents<dyn, clip>> out(nullptr, extents<dyn, clip>(count * answers_of(hidden)));
        step_rows index;
        index.max_keys = max_keys;
        index.scores = count * rows_of(hidden) * max_keys;
        index.last_scores = count * answers_of(hidden) * max_keys;
        return step(ctx, operands{}, x, count, hidden, index, layer_count, out);
    }
    static constexpr std::size_t plan_arrays(index_t count, index_t hidden) {
        workspace w;
        (void)w.template take<attention_group>(count);
        (void)w.template take<attention_group>(count);
        (void)w.template take<std::int32_t>(count * rows_of(hidden));
        (void)w.template take<std::int32_t>(count * rows_of(hidden));
        return w.high_water();
    }
};

} // namespace apriori::detail
