// SPDX-License-Identifier: Apache-2.0
// Which rows the passes of incremental sampling compute, and what each attends to.
#pragma once

#include "apriori/expr/attention_rows.hpp"
#include "apriori/expr/workspace.hpp"
#include "apriori/models/prior_cache.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace apriori::detail {

/// The rows of a prefix or a kv cache, on the host: each one's row in a table, its position, and what it attends to.
struct prior_pass_rows {
    std::vector<std::int32_t> order{}, positions{};
    std::vector<attention_group> groups{};
    std::int64_t scores = 0;
    index_t max_keys = 0;
    bool causal = false;

    index_t count() const noexcept { return std::ssize(order); }
    void add_row(std::int32_t of_table, std::int32_t position) {
        order.push_back(of_table);
        positions.push_back(position);
    }
    void add_group(const attention_group& g, std::int64_t group_scores, index_t keys) {
        groups.push_back(g);
        scores += group_scores;
        max_keys = (std::max)(max_keys, keys);
    }
};

/// Checks steps over so many latents, for weights with that hash.
template <class Device>
status check_steps(std::span<const prior_step<Device>> steps, index_t latents, std::uint64_t weights_hash) {
    if (steps.empty()) return status::invalid("step: at least one row is needed");
    for (const auto& s : steps) {
        const auto within = [](index_t i, index_t count, const char* what) {
            return i >= 0 && i < count ? status{} : status::invalid(what, i, count - 1);
        };
        if (s.kv_cache == nullptr) return status::invalid("step: a row has no kv cache");
        if (s.kv_cache->cache.weights_hash != weights_hash)
            return status::invalid("step: the kv cache was made with other weights");
        const index_t proj = s.kv_cache->prefix->proj_tokens, first = steps[0].kv_cache->prefix->proj_tokens;
        if (proj != first) return status::invalid("step: kv caches of different proj tokens", proj, first);
        if (const status bad =
                first_error(within(s.prompt, s.kv_cache->prompts(), "step: no such prompt in the kv cache"),
                            within(s.k, std::ssize(s.kv_cache->timesteps), "step: no such timestep in the kv cache"),
                            within(s.latent, latents, "step: no such latents"));
            !bad)
            return bad;
    }
    return {};
}

/// The rows of steps, in the device's memory: for each step the tokens of its latents, and prd.
class prior_step_rows {
public:
    std::int32_t *order, *positions; ///< [rows()]: each one's row in [latents, prd], and its position
    /// [steps], or null: how far each step's timestep is after the one that was written (attention_groups::shifts).
    const std::int32_t* shifts = nullptr;

    /// Takes memory for them, or only counts it if the workspace does.
    constexpr prior_step_rows(workspace& memory, index_t steps, index_t hidden, index_t prd)
        : order(memory.take<std::int32_t>(steps * (hidden + prd))),
          positions(memory.take<std::int32_t>(steps * (hidden + prd))),
          all_(memory.take<attention_group>(steps)),
          last_(memory.take<attention_group>(steps)),
          steps_(steps),
          hidden_(hidden),
          prd_(prd) {}

    constexpr index_t steps() const noexcept { return steps_; }
    constexpr index_t rows_of_step() const noexcept { return hidden_ + prd_; }
    constexpr index_t answers_of_step() const noexcept { return prd_ != 0 ? 1 : hidden_; }
    constexpr index_t rows() const noexcept { return steps_ * rows_of_step(); }
    constexpr index_t answers() const noexcept { return steps_ * answers_of_step(); }

    /// Every row is a query.
    constexpr attention_groups all() const noexcept {
        return {all_, steps_, max_keys_, rows(), scores_, true, shifts, rows_of_step()};
    }
    /// In the last layer only the answers are queries.
    constexpr attention_groups last() const noexcept {
        return {last_, steps_, max_keys_, answers(), last_scores_, true, shifts, answers_of_step()};
    }

    /// For plans: each query attends to `max_keys` keys.
    constexpr void assume(index_t max_keys) noexcept {
        max_keys_ = max_keys;
        scores_ = rows() * max_keys;
        last_scores_ = answers() * max_keys;
    }

    /// Writes the arrays, in chunks through the stack. The latents' positions come after num_embeddings, proj and time,
    /// and prd's after the latents'.
    template <class Context, class Device>
    void write(Context& to, std::span<const prior_step<Device>> steps, index_t num_embeddings, index_t latent_rows) {
        const index_t own = rows_of_step(), answers = answers_of_step();
        in_chunks<attention_group>(to, all_, steps_, [&](index_t i) {
            const attention_group g = group_of(at(steps, i), i * own);
            const index_t past = g.past[0].count + g.past[1].count;
            max_keys_ = (std::max)(max_keys_, past + own);
            scores_ += own * past + own * (own + 1) / 2;
            last_scores_ += answers * (past + own);
            return g;
        });
        in_chunks<attention_group>(to, last_, steps_, [&](index_t i) {
            attention_group g = group_of(at(steps, i), i * own);
            g.queries = answers;
            g.first_query += own - answers;
            g.first_out = i * answers;
            return g;
        });
        in_chunks<std::int32_t>(to, order, rows(), [&](index_t i) {
            const index_t j = i % own;
            return std::int32_t(j < hidden_ ? at(steps, i / own).latent * hidden_ + j : latent_rows);
        });
        in_chunks<std::int32_t>(to, positions, rows(), [&](index_t i) {
            const auto& s = at(steps, i / own);
            return std::int32_t(num_embeddings + s.kv_cache->prefix->proj_tokens + 1 + i % own);
        });
    }

private:
    /// A step's rows, from `first` on, which attend to its prompt's rows and its time row.
    template <class Device>
    attention_group group_of(const prior_step<Device>& s, index_t first) const {
        const auto& p = *s.kv_cache->prefix;
        const auto timesteps = std::ssize(s.kv_cache->timesteps);
        return {first,
                first,
                rows_of_step(),
                first,
                {p.cache.range(at(p.prompts, s.prompt)), s.kv_cache->cache.range({s.prompt * timesteps + s.k, 1})}};
    }

    template <class T, class Context, class Element>
    static void in_chunks(Context& to, T* there, index_t count, Element&& element) {
        constexpr index_t most = 4096 / index_t{sizeof(T)};
        T here[to_size(most)];
        for (index_t first = 0; first < count; first += most) {
            const index_t n = (std::min)(most, count - first);
            for (index_t i = 0; i < n; ++i) here[i] = element(first + i);
            to.check(to.device().upload(there + first, here, to_size(n) * sizeof(T)));
        }
    }

    attention_group *all_, *last_;
    index_t steps_, hidden_, prd_;
    index_t max_keys_ = 0;
    std::int64_t scores_ = 0, last_scores_ = 0;
};

} // namespace apriori::detail
