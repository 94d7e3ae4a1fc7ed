// SPDX-License-Identifier: Apache-2.0
// Exact incremental sampling. With an attention mask PriorTransformer is causal over [text, proj, time, x_t, prd],
// and a masked token has attention weight exactly 0 in every row that reaches the answer (exp(-10000) is 0 in
// float32). So masked tokens are dropped, the rows of text and proj are computed once for a prompt (prefix), the time
// rows of all steps in one pass (kv cache), and a step computes only x_t and prd. In the last layer only the answer
// needs a query and a feed-forward.
//
// It agrees with the full forward up to rounding, as long as no two scores differ by about 10,000.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/models/packed_weights.hpp"
#include "apriori/models/prepared_steps.hpp"
#include "apriori/models/prior_cache.hpp"
#include "apriori/models/prior_layers.hpp"
#include "apriori/models/prior_prompt.hpp"
#include "apriori/models/prior_rows.hpp"

#include <algorithm>
#include <memory>
#include <string>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

/// The passes of a model over its weights, which PriorTransformer's members call. C is canonical.
template <PriorConfig C, class Device, class Format>
class incremental_prior {
    using weights = packed_weights<model_of<C>, Device, Format>;
    using operands = typename weights::operands_type;
    using layers_type = prior_layers<C, operands>;
    static constexpr index_t inner = C.inner_dim(), clip = C.clip_embed_dim, text_width = layers_type::text_width;
    static constexpr index_t prd = C.added_emb_type == added_emb::prd ? 1 : 0;
    using rows_view = view<float, extents<dyn, inner>>;
    using index_view = view<const std::int32_t, extents<dyn>>;
    using prefix_ptr = std::shared_ptr<const prior_prefix<Device>>;
    using kv_cache_ptr = std::shared_ptr<const prior_kv_cache<Device>>;

public:
    incremental_prior(Device& device, const weight_block<operands>& w)
        : device_(device), layers_{w.operands()}, weights_hash_(w.hash) {}

    /// The number of latent tokens: the sequence without text, proj, time and prd.
    static index_t hidden_tokens(const prior_prefix<Device>& p) noexcept {
        return C.additional_embeddings - p.proj_tokens - 1 - prd;
    }

    // ---- once for each prompt
    // ------------------------------------------------------------------------------------------

    result<prefix_ptr> prefix(std::span<const prior_prompt> prompts) const {
        if (prompts.empty()) return failure{errc::invalid_argument, "prefix: at least one prompt is needed"};
        auto made = std::make_shared<prior_prefix<Device>>();
        std::vector<float> text, pooled; // unmasked rows
        std::int32_t text_rows = 0, pooled_rows = 0;
        for (const prior_prompt& p : prompts) {
            if (auto r = check(p); !r) return r.error();
            for (const std::uint8_t seen : p.attention_mask) text_rows += seen != 0;
        }
        prior_pass_rows pass{.causal = true};
        std::int32_t next_text = 0;
        for (const prior_prompt& p : prompts) {
            const index_t first = pass.count();
            for (std::int32_t i = 0; i < C.num_embeddings; ++i) {
                if (at(p.attention_mask, i) == 0) continue;
                const auto row = part(p.last_hidden_state, i * text_width, text_width);
                text.insert(text.end(), row.begin(), row.end());
                pass.add_row(next_text++, i);
            }
            pooled.insert(pooled.end(), p.text_embeds.begin(), p.text_embeds.end());
            const index_t proj = std::ssize(p.text_embeds) / C.embedding_proj_dim;
            for (int i = 0; i < proj; ++i) pass.add_row(text_rows + pooled_rows++, C.num_embeddings + i);
            if (made->proj_tokens == 0) made->proj_tokens = proj;
            if (proj != made->proj_tokens || hidden_tokens(*made) < 1)
                return failure(errc::shape_mismatch, "prompt: text_embeds has ", proj,
                               " tokens; all prompts must have the same number, and leave room for time and latents "
                               "among additional_embeddings = ",
                               C.additional_embeddings);
            const index_t count = pass.count() - first;
            made->prompts.push_back({first, count});
            pass.add_group({first, first, count, first, {}}, count * (count + 1) / 2, count);
        }
        device_staging on(device_, no_memory);
        const auto text_there = on.copy(text), pooled_there = on.copy(pooled);
        const view text_in(text_there.data(), extents<dyn, text_width>(text_rows));
        const view pooled_in(pooled_there.data(), extents<dyn, C.embedding_proj_dim>(pooled_rows));
        fill_cache(on, pass, text_rows + pooled_rows, made->cache, [&](auto& to, const rows_view& table) {
            if (text_rows > 0) to(slice<0>(table, 0, text_rows)) = layers_.text_rows(text_in);
            to(slice<0>(table, text_rows, pooled_rows)) = layers_.pooled_rows(pooled_in);
        });
        if (!on.state) return to_failure(on.state);
        return prefix_ptr(std::move(made));
    }

    result<kv_cache_ptr> kv_cache(prefix_ptr prefix, std::span<const float> timesteps) const {
        if (prefix == nullptr || prefix->cache.weights_hash != weights_hash_)
            return failure{errc::invalid_argument, "kv_cache: the prefix was made with other weights"};
        if (timesteps.empty()) return failure{errc::invalid_argument, "kv_cache: at least one timestep is needed"};
        auto made = std::make_shared<prior_kv_cache<Device>>();
        made->prefix = std::move(prefix);
        made->timesteps.assign(timesteps.begin(), timesteps.end());
        const index_t count = std::ssize(timesteps);
        prior_pass_rows pass;
        for (const row_range seen : made->prefix->prompts) {
            const index_t first = pass.count();
            for (std::int32_t k = 0; k < count; ++k)
                pass.add_row(k, std::int32_t(C.num_embeddings + made->prefix->proj_tokens));
            pass.add_group({first, first, count, first, {made->prefix->cache.range(seen), {}}},
                           count * (seen.count + 1), seen.count + 1);
        }
        device_staging on(device_, no_memory);
        const auto times = on.copy(timesteps);
        const view t(times.data(), extents<dyn, 1>(count));
        fill_cache(on, pass, count, made->cache,
                   [&](auto& to, const rows_view& table) { layers_.embed_time(to, table, t, 0.0f); });
        if (!on.state) return to_failure(on.state);
        return kv_cache_ptr(std::move(made));
    }

    // ---- every step
    // ----------------------------------------------------------------------------------------------------

    status step(const view<const float, extents<dyn, C.embedding_dim>>& x_t, std::span<const prior_step<Device>> steps,
                std::span<float> out, std::span<std::byte> memory, step_limits l) const {
        const index_t latent_rows = x_t.ext()[0];
        if (const status s = check_latents(steps, latent_rows, l); !s) return s;
        if (const status s = check_step(x_t, std::ssize(steps), out, memory, l); !s) return s;
        for (index_t first = 0; first < std::ssize(steps); first += l.rows) {
            const auto some = part(steps, first, (std::min)(l.rows, std::ssize(steps) - first));
            workspace work(memory);
            context to(device_, work);
            prior_step_rows index(work, std::ssize(some), l.hidden_tokens, prd);
            if (work.overflowed()) return work.too_small();
            index.write(to, some, C.num_embeddings, latent_rows);
            run_step(to, layers_, x_t, index, C.num_layers, out.data() + first * answer_size(l));
            if (!to.state) return to.state;
        }
        return {};
    }

    result<prepared_steps<Device>> prepare_steps(std::span<const prior_step<Device>> steps, index_t latents,
                                                 std::span<const std::int32_t> timesteps, step_limits l) const {
        if (const status s = check_latents(steps, latents * l.hidden_tokens, l); !s) return to_failure(s);
        return prepared_steps<Device>::make(
            device_, steps, timesteps,
            {.limits = l, .prd = prd, .latent_rows = latents * l.hidden_tokens, .num_embeddings = C.num_embeddings});
    }

    status step(const view<const float, extents<dyn, C.embedding_dim>>& x_t, const prepared_steps<Device>& steps,
                std::span<float> out, std::span<std::byte> memory) const {
        const step_limits l = steps.limits();
        if (x_t.ext()[0] != steps.latent_rows())
            return status::shape("step: x_t has another number of rows than the steps were prepared for", x_t.ext()[0],
                                 steps.latent_rows());
        if (const status s = check_step(x_t, steps.count(), out, memory, l); !s) return s;
        index_t first = 0;
        for (const prior_step_rows& index : steps.chunks()) {
            workspace work(memory);
            context to(device_, work);
            run_step(to, layers_, x_t, index, C.num_layers, out.data() + first * answer_size(l));
            if (!to.state) return to.state;
            first += index.steps();
        }
        return {};
    }

    static constexpr std::size_t workspace_bytes(step_limits l) {
        return workspace_of<Device>(
            step_of(l, (std::min)(C.num_layers, 2))); // the last layer, and one of those before it
    }
    static constexpr auto plan(step_limits l) {
        return plan_body<Device, 24 + 16 * C.num_layers>(step_of(l, C.num_layers));
    }

private:
    static constexpr const char* no_memory = "no memory for the kv cache of the prompts";

    /// The number of floats of a step's answer.
    static constexpr index_t answer_size(step_limits l) noexcept { return (prd != 0 ? 1 : l.hidden_tokens) * clip; }

    /// Checks steps over so many rows of latents.
    status check_latents(std::span<const prior_step<Device>> steps, index_t latent_rows, step_limits l) const {
        const index_t hidden = l.hidden_tokens;
        if (l.rows < 1 || l.samples < 1 || hidden < 1)
            return status::invalid("step: limits.rows, samples and hidden_tokens must be 1 or more",
                                   (std::min)({l.rows, l.samples, hidden}), 1);
        if (const status s = check_steps(steps, latent_rows / hidden, weights_hash_); !s) return s;
        if (hidden != hidden_tokens(*steps.front().kv_cache->prefix) || latent_rows % hidden != 0 ||
            latent_rows > l.samples * hidden)
            return status::shape(
                "step: x_t must have at most limits.samples * limits.hidden_tokens rows, in whole samples", latent_rows,
                l.samples * hidden);
        return {};
    }
    /// Checks the memory of `count` steps.
    static status check_step(const view<const float, extents<dyn, C.embedding_dim>>& x_t, index_t count,
                             std::span<float> out, std::span<std::byte> memory, step_limits l) {
        if (x_t.data == nullptr) return status::shape("step: x_t has no memory", 0, x_t.ext()[0]);
        const extents<dyn, dyn> answers(count, answer_size(l));
        if (const status s = room(out, answers, "step: a span of steps * tokens * clip_embed_dim floats is needed"); !s)
            return s;
        return check_workspace(memory, workspace_bytes(l));
    }

    static result<void> check(const prior_prompt& p) {
        constexpr index_t text = C.num_embeddings * text_width;
        if (std::ssize(p.attention_mask) != C.num_embeddings || C.num_embeddings == 0)
            return failure(errc::invalid_argument,
                           "prompt: incremental sampling needs an attention_mask of num_embeddings = ",
                           C.num_embeddings, " elements, not ", p.attention_mask.size(), "; without one use forward");
        if (std::ssize(p.last_hidden_state) != text)
            return wrong_size("prompt: last_hidden_state", p.last_hidden_state, text);
        if (p.text_embeds.empty() || std::ssize(p.text_embeds) % C.embedding_proj_dim != 0)
            return wrong_size("prompt: text_embeds", p.text_embeds, C.embedding_proj_dim);
        return {};
    }

    /// Fills `cache` with the rows that `pass` takes from a table [table_rows, inner], which embed(to, table) writes.
    /// The pass is planned, given memory, and run once.
    void fill_cache(device_staging<Device>& on, const prior_pass_rows& pass, index_t table_rows,
                    layer_cache<Device>& cache, auto&& embed) const {
        const index_t rows = pass.count();
        const auto order = on.copy(pass.order), positions = on.copy(pass.positions);
        const auto groups = on.copy(pass.groups);
        if (on.state) on.check(cache.allocate(device_, C.num_layers, rows, 3 * inner, weights_hash_));
        const auto body = [&](auto& to) {
            const auto temporaries = to.scope();
            const rows_view table = to.temporary(extents<dyn, inner>(table_rows)); // [table_rows, inner]
            const rows_view x = to.temporary(extents<dyn, inner>(rows));           // [rows, inner]
            embed(to, table);
            place(to, layers_, x, table, order.data(), positions.data());
            cache_layers(to, x, cache.values.data(),
                         {groups.data(), groups.size(), pass.max_keys, rows, pass.scores, pass.causal});
        };
        const auto memory = on.bytes(workspace_of<Device>(body));
        workspace w(memory.bytes());
        context to(device_, w);
        to.state = on.state;
        body(to);
        on.check(to.state);
        if (on.state) on.check(device_.synchronize());
    }

    /// Passes rows x through all layers; each layer's q, k and v are written to `cache`. The rest of
    /// the last layer is not needed.
    template <class Context>
    void cache_layers(Context& to, const rows_view& x, float* cache, const attention_groups& groups) const {
        const index_t rows = x.ext()[0];
        for (int i = 0; i < C.num_layers; ++i) {
            const auto block = layers_.block(i);
            const view qkv(advance(cache, i * rows * 3 * inner), extents<dyn, 3 * inner>(rows)); // [rows, 3 * inner]
            to(qkv) = block.qkv_of(x);
            if (i + 1 < C.num_layers) block.attend_cached(to, x, qkv, groups, i, layers_.scale);
        }
    }

    /// x = rows of `table` in this order, each with its position added, and normalised if the model has norm_in.
    template <class Context>
    static constexpr void place(Context& to, const layers_type& layers, const rows_view& x, const rows_view& table,
                                const std::int32_t* order, const std::int32_t* positions) {
        const extents<dyn> rows(x.ext()[0]);
        to(x) = gather(table, index_view(order, rows)) +
                gather(layers.w["positional_embedding"_w], index_view(positions, rows));
        layers.norm_in(to, x);
    }

    /// Latents x [latents * hidden, embedding_dim] -> answers [steps, 1 or hidden tokens, clip_embed_dim], through
    /// `depth` layers: all of the model's, or fewer to plan the workspace.
    template <class Context>
    static constexpr void run_step(Context& to, const layers_type& layers,
                                   const view<const float, extents<dyn, C.embedding_dim>>& x_t,
                                   const prior_step_rows& index, int depth, float* out) {
        const index_t rows = index.rows(), own = index.rows_of_step(), answers = index.answers(),
                      latent_rows = x_t.ext()[0];
        const rows_view table = to.temporary(extents<dyn, inner>(latent_rows + prd)); // [latent rows and prd, inner]
        const rows_view x = to.temporary(extents<dyn, inner>(rows));                  // [steps * own, inner]
        to(slice<0>(table, 0, latent_rows)) = layers.latent_rows(x_t);
        if constexpr (prd != 0) to(slice<0>(table, latent_rows, 1)) = layers.w["prd_embedding"_w];
        place(to, layers, x, table, index.order, index.positions);
        const auto qkv = to.temporary(extents<dyn, 3 * inner>(rows)); // [steps * own, 3 * inner]
        for (int i = 0; i + 1 < depth; ++i) {
            const auto block = layers.block(i);
            to(qkv) = block.qkv_of(x);
            block.attend_cached(to, x, qkv, index.all(), i, layers.scale);
        }
        // the last layer computes only the answers: with prd every own-th row, without it all
        const auto block = layers.block(depth - 1);
        const auto y = rows_of<inner>(advance(x.data, (own - index.answers_of_step()) * inner), answers,
                                      prd != 0 ? own * inner : inner);
        to(qkv) = block.qkv_of(x);
        block.attend_cached(to, y, qkv, index.last(), depth - 1, layers.scale);
        to(view(out, extents<dyn, clip>(answers))) = layers.answer_rows(y);
    }

    /// A step without memory, for plans.
    static constexpr auto step_of(step_limits l, int depth) {
        return [l, depth](auto& to) {
            prior_step_rows index(to.memory, l.rows, l.hidden_tokens, prd);
            index.assume(l.max_keys(C));
            const view<const float, extents<dyn, C.embedding_dim>> x_t(
                nullptr, extents<dyn, C.embedding_dim>(l.samples * l.hidden_tokens));
            run_step(to, layers_type{}, x_t, index, depth, nullptr);
        };
    }

    Device& device_;
    layers_type layers_;
    std::uint64_t weights_hash_;
};

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
