// SPDX-License-Identifier: Apache-2.0
// Exact incremental sampling, what is done once for a prompt. With an attention mask PriorTransformer is causal over
// [text, proj, time, x_t, prd], and a masked token has attention weight exactly 0 in every row that reaches the answer
// (exp(-10000) is 0 in float32). So masked tokens are dropped, the rows of text and proj are computed once for a prompt, the
// time rows of all steps in one pass, and a step computes x_t and prd alone. In the last layer only the answer needs a query
// and a feed-forward.
//
// It agrees with the full forward within rounding, as long as no score differs from another by about 10,000.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/models/prior_cache.hpp"
#include "apriori/models/prior_layers.hpp"
#include "apriori/models/prior_prompt.hpp"

#include <algorithm>
#include <string>

namespace apriori::detail {

/// The passes that are made once for a prompt; PriorTransformer's members call them.
template <PriorConfig C, class Device, class Format>
struct condition_passes {
    using layers = prior_layers<C, typename Device::template packed<Format>>;
    using operands = typename layers::operands;
    using prefix = prior_prefix<Device>;
    using condition = prior_condition<Device>;
    static constexpr index_t inner = C.inner_dim(), clip = C.clip_embed_dim;
    static constexpr index_t prd = C.added_emb_type == added_emb::prd ? 1 : 0;
    using rows_view = view<float, extents<dyn, inner>>;
    using index_view = view<const std::int32_t, extents<dyn>>;

    template <class T>
    static device_array<T, Device> uploaded(Device& device, const std::vector<T>& values, status& s) {
        device_array<T, Device> a(device, static_cast<index_t>(values.size()));
        if (!a.ok()) s = {errc::device_error, "no memory for the condition of the prompts"};
        if (s.ok()) s = a.write(values);
        return a;
    }

    /// Plans `body`, takes memory for it, and runs it: for passes that are made once.
    template <class Body>
    static status run_once(Device& device, Body&& body) {
        const auto planned = plan_body<Device, 0>(body);
        device_array<std::byte, Device> memory(device, static_cast<index_t>(planned.workspace));
        if (!memory.ok())
            return {errc::device_error, "no memory for the workspace of a pass", 0,
                    static_cast<std::int64_t>(planned.workspace)};
        workspace w(memory.bytes());
        context<Device> ctx(device, w);
        const status s = body(ctx);
        return s.ok() ? device.synchronize() : s;
    }

    /// Rows x through all layers, each layer's q, k and v left in `cache`; after the last one nothing more is needed.
    template <class Context>
    static constexpr status cache_layers(Context& ctx, const operands& w, const rows_view& x, float* cache,
                                         attention_groups groups) {
        for (int i = 0; i < C.num_layers; ++i) {
            using V = view<float, extents<dyn, 3 * inner>>;
            const V qkv(advance(cache, i * x.ext()[0] * 3 * inner),
                        extents<dyn, 3 * inner>(x.ext()[0])); // [rows, 3 * inner]
            const auto block = layers::block(w, i);
            if (const status s = ctx.assign(qkv, block.qkv_of(x)); !s.ok()) return s;
            if (i + 1 < C.num_layers)
                if (const status s = block.attend_cached(ctx, x, qkv, groups, i, layers::scale); !s.ok()) return s;
        }
        return {};
    }

    /// The rows of a pass: which row of a table each is, its position in the sequence, and who sees whom.
    struct pass_rows {
        std::vector<std::int32_t> order{}, positions{};
        std::vector<attention_group> groups{};
        std::int64_t scores = 0;
        index_t max_keys = 0;
        bool causal = false;

        index_t count() const noexcept { return static_cast<index_t>(order.size()); }
        void add_group(const attention_group& g, std::int64_t group_scores, index_t keys) {
            groups.push_back(g);
            scores += group_scores;
            max_keys = std::max(max_keys, keys);
        }
    };

    /// Fills `cache` with the rows that `pass` takes from a table [table_rows, inner], which embed(ctx, table) writes.
    template <class Embed>
    static status fill_cache(Device& device, const operands& w, std::uint64_t hash, const pass_rows& pass,
                             index_t table_rows, layer_cache<Device>& cache, Embed&& embed) {
        const index_t rows = pass.count();
        status s;
        const auto order = uploaded(device, pass.order, s), positions = uploaded(device, pass.positions, s);
        const auto groups = uploaded(device, pass.groups, s);
        if (s.ok()) s = cache.allocate(device, C.num_layers, rows, 3 * inner, hash);
        if (!s.ok()) return s;
        return run_once(device, [&](auto& ctx) {
            workspace::scope temporaries(ctx.memory);
            const rows_view table = ctx.temporary(extents<dyn, inner>(table_rows)); // [table_rows, inner]
            const rows_view x = ctx.temporary(extents<dyn, inner>(rows));           // [rows, inner]
            status r = embed(ctx, table);
            if (r.ok())
                r = place(ctx, w, x, table, index_view(order.data(), extents<dyn>(rows)),
                          index_view(positions.data(), extents<dyn>(rows)));
            if (!r.ok()) return r;
            return cache_layers(ctx, w, x, cache.values.data(),
                                {groups.data(), groups.size(), pass.max_keys, rows, pass.scores, pass.causal});
        });
    }

    /// x = rows of `table` in that order, each with its position, and normalised where the model has norm_in.
    template <class Context>
    static constexpr status place(Context& ctx, const operands& w, const rows_view& x, const rows_view& table,
                                  const index_view& order, const index_view& positions) {
        const auto position = gather(layers::position_table(w), positions); // [rows, inner]
        if (const status s = ctx.assign(x, gather(table, order) + position); !s.ok()) return s;
        return layers::norm_in(ctx, w, x);
    }

    // ---- prefix ------------------------------------------------------------------------------------------------------

    static result<void> check(const prior_prompt& p) {
        const auto wrong = [](const char* what, std::size_t got, index_t want) {
            return failure{errc::shape_mismatch, std::string("prompt: ") + what + " has " + std::to_string(got) +
                                                     " elements, the model takes " + std::to_string(want)};
        };
        constexpr index_t text = C.num_embeddings * layers::text_width;
        if (p.attention_mask.size() != static_cast<std::size_t>(C.num_embeddings) || C.num_embeddings == 0)
            return failure{errc::invalid_argument,
                           "prompt: incremental sampling needs an attention_mask of num_embeddings = " +
                               std::to_string(C.num_embeddings) + " elements, not " +
                               std::to_string(p.attention_mask.size()) + "; without one use forward"};
        if (p.last_hidden_state.size() != static_cast<std::size_t>(text))
            return wrong("last_hidden_state", p.last_hidden_state.size(), text);
        if (p.text_embeds.empty() || p.text_embeds.size() % static_cast<std::size_t>(C.embedding_proj_dim) != 0)
            return wrong("text_embeds", p.text_embeds.size(), C.embedding_proj_dim);
        return {};
    }

    static result<std::shared_ptr<const prefix>> make_prefix(Device& device, const operands& w, std::uint64_t hash,
                                                             std::span<const prior_prompt> prompts) {
        if (prompts.empty()) return failure{errc::invalid_argument, "prefix: at least one prompt is needed"};
        auto made = std::make_shared<prefix>();
        std::vector<float> text, pooled;
        pass_rows pass;
        pass.causal = true;
        std::int32_t text_rows = 0, pooled_rows = 0;
        for (const prior_prompt& p : prompts) {
            if (auto r = check(p); !r) return r.error();
            text_rows += static_cast<std::int32_t>(
                std::count_if(p.attention_mask.begin(), p.attention_mask.end(), [](auto m) { return m != 0; }));
        }
        std::int32_t next_text = 0;
        for (const prior_prompt& p : prompts) {
            const index_t first = pass.count();
            for (std::int32_t i = 0; i < C.num_embeddings; ++i) {
                if (p.attention_mask[static_cast<std::size_t>(i)] == 0) continue;
                const auto row = p.last_hidden_state.subspan(static_cast<std::size_t>(i * layers::text_width),
                                                             static_cast<std::size_t>(layers::text_width));
                text.insert(text.end(), row.begin(), row.end());
                pass.order.push_back(next_text++);
                pass.positions.push_back(i);
            }
            pooled.insert(pooled.end(), p.text_embeds.begin(), p.text_embeds.end());
            const auto proj = static_cast<std::int32_t>(p.text_embeds.size()) / C.embedding_proj_dim;
            for (std::int32_t i = 0; i < proj; ++i) {
                pass.order.push_back(text_rows + pooled_rows++);
                pass.positions.push_back(C.num_embeddings + i);
            }
            if (made->proj_tokens == 0) made->proj_tokens = proj;
            if (proj != made->proj_tokens || hidden_tokens(*made) < 1)
                return failure{
                    errc::shape_mismatch,
                    "prompt: text_embeds has " + std::to_string(proj) +
                        " tokens; all prompts must have the same number, and leave room for time and latents "
                        "among additional_embeddings = " +
                        std::to_string(C.additional_embeddings)};
            const index_t count = pass.count() - first;
            made->prompts.push_back({first, count});
            pass.add_group({first, first, count, first, {}}, count * (count + 1) / 2, count);
        }
        status s;
        const auto text_in = uploaded(device, text, s), pooled_in = uploaded(device, pooled, s);
        if (!s.ok()) return to_failure(s);
        s = fill_cache(
            device, w, hash, pass, text_rows + pooled_rows, made->cache, [&](auto& ctx, const rows_view& table) {
                if (text_rows > 0) {
                    const view<const float, extents<dyn, layers::text_width>> in(
                        text_in.data(), extents<dyn, layers::text_width>(text_rows));
                    if (const status r = ctx.assign(slice<0>(table, 0, text_rows), layers::text_rows(w, in)); !r.ok())
                        return r;
                }
                const view<const float, extents<dyn, C.embedding_proj_dim>> in(
                    pooled_in.data(), extents<dyn, C.embedding_proj_dim>(pooled_rows));
                return ctx.assign(slice<0>(table, text_rows, pooled_rows), layers::pooled_rows(w, in));
            });
        if (!s.ok()) return to_failure(s);
        return std::shared_ptr<const prefix>(std::move(made));
    }

    /// Tokens of the latents: what text, proj, time and prd leave of the sequence.
    static index_t hidden_tokens(const prefix& p) noexcept { return C.additional_embeddings - p.proj_tokens - 1 - prd; }

    // ---- condition ---------------------------------------------------------------------------------------------------

    static result<std::shared_ptr<const condition>> make_condition(Device& device, const operands& w,
                                                                   std::uint64_t hash,
                                                                   std::shared_ptr<const prefix> made_prefix,
                                                                   std::span<const float> timesteps) {
        if (made_prefix == nullptr || made_prefix->cache.weights_hash != hash)
            return failure{errc::invalid_argument, "condition: the prefix was made with other weights"};
        if (timesteps.empty()) return failure{errc::invalid_argument, "condition: at least one timestep is needed"};
        auto made = std::make_shared<condition>();
        made->prefix = std::move(made_prefix);
        made->timesteps.assign(timesteps.begin(), timesteps.end());
        const auto count = static_cast<index_t>(timesteps.size());
        pass_rows pass;
        for (index_t p = 0; p < made->prompts(); ++p) {
            const row_range seen = made->prefix->prompts[static_cast<std::size_t>(p)];
            const index_t first = p * count;
            for (index_t k = 0; k < count; ++k) pass.order.push_back(static_cast<std::int32_t>(k));
            pass.positions.insert(pass.positions.end(), timesteps.size(),
                                  static_cast<std::int32_t>(C.num_embeddings + made->prefix->proj_tokens));
            pass.add_group({first, first, count, first, {made->prefix->cache.range(seen), {}}},
                           count * (seen.count + 1), seen.count + 1);
        }
        status s;
        const auto times = uploaded(device, made->timesteps, s);
        if (s.ok())
            s = fill_cache(device, w, hash, pass, count, made->cache, [&](auto& ctx, const rows_view& table) {
                const view<const float, extents<dyn, 1>> t(times.data(), extents<dyn, 1>(count));
                return layers::embed_time(ctx, w, table, t, 0.0f);
            });
        if (!s.ok()) return to_failure(s);
        return std::shared_ptr<const condition>(std::move(made));
    }
};

} // namespace apriori::detail
