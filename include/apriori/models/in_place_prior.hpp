// SPDX-License-Identifier: Apache-2.0
// Exact incremental sampling of one image in memory of the caller, whose size is a constant of the type, for machines
// without a heap. It keeps only the keys and values of the prompts' rows (models/incremental_prior.hpp): the prefix is
// computed a few rows at a time, and a step computes its time row itself.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/models/prior_cache.hpp"
#include "apriori/models/prior_layers.hpp"
#include "apriori/models/prior_prompt.hpp"

#include <algorithm>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The sizes that an in_place_prior has memory for.
struct in_place_limits {
    index_t prompts = 2; ///< guidance branches: [unconditional, conditional], or 1
    /// Rows of all prompts: their unmasked tokens, and a pooled row for each. 0: the most that are possible.
    index_t prompt_rows = 0;
    /// Rows that are computed together; a step has 3 for each prompt, or 2 without prd. Fewer take less memory and more
    /// time. In attention the rows of one prompt always stay together. 0: all.
    index_t rows = 0;
};

/// The incremental passes of a prior whose latents have one token. Model is a PriorTransformer on a device that works
/// in the host's memory, with the device's own attention. Nothing here allocates.
template <class Model>
class in_place_prior {
public:
    using device_type = typename Model::device_type;
    static constexpr auto config = Model::config;
    static_assert(detail::in_host_memory<device_type>, "apriori: in_place_prior works in the host's memory");
    static_assert(Model::has_step,
                  "apriori: in_place_prior needs a model that takes steps, with its device's own attention");

    /// Bytes of memory that these limits need.
    static constexpr std::size_t bytes(in_place_limits l) {
        workspace counting;
        const kept_memory kept(counting, filled_in(l));
        return counting.high_water() + temporaries(filled_in(l));
    }

    /// Refers to `model`. `memory` has bytes(l) bytes, aligned to buffer_alignment.
    in_place_prior(const Model& model, std::span<std::byte> memory, in_place_limits l = {})
        : device_(&model.device()),
          layers_{model.weights_block().operands()},
          limits_(filled_in(l)),
          state_(l.prompts < 1 ? status::invalid("in_place_prior: limits.prompts must be 1 or more", l.prompts, 1)
                               : check_workspace(memory, bytes(l))) {
        if (!state_) return;
        workspace all(memory);
        kept_ = kept_memory(all, limits_);
        temporary_ = memory.subspan(all.high_water());
    }

    /// Ok, or what is wrong with the memory or the limits.
    status state() const noexcept { return state_; }
    index_t prompts() const noexcept { return prompts_; }

    /// Computes the keys and values of prompts with attention masks, and replaces the earlier ones. Errors: those of
    /// state(), shape_mismatch, invalid_argument; workspace_too_small if the prompts have more rows than the limits.
    status prefix(std::span<const prior_prompt> prompts) {
        prompts_ = 0;
        if (!state_) return state_;
        if (prompts.empty() || std::ssize(prompts) > limits_.prompts)
            return status::invalid("prefix: prompts must be 1 to limits.prompts", std::ssize(prompts), limits_.prompts);
        index_t rows = 0;
        for (const prior_prompt& p : prompts) {
            if (const status s = check(p); !s) return s;
            rows += 1 + std::count_if(p.attention_mask.begin(), p.attention_mask.end(), [](auto m) { return m != 0; });
        }
        if (rows > limits_.prompt_rows)
            return {errc::workspace_too_small, "prefix: the prompts have more rows than limits.prompt_rows", rows,
                    limits_.prompt_rows};
        index_t first = 0;
        for (index_t i = 0; i < std::ssize(prompts); ++i) {
            row_range& filled = kept_.prompts[i];
            filled = {first, 0};
            if (const status s = prefix_one(at(prompts, i), filled); !s) return s;
            first += filled.count;
        }
        prompts_ = std::ssize(prompts);
        return {};
    }

    /// Predicts the denoised image embedding of latents x [embedding_dim] at a timestep for each prompt:
    /// `answers` receives [prompts, clip_embed_dim]. Errors: those of state(), shape_mismatch, and
    /// invalid_argument without a prefix.
    status step(std::span<const float> x, float timestep, std::span<float> answers) const {
        if (!state_) return state_;
        if (prompts_ == 0) return status::invalid("step: there is no prefix; prefix() comes first");
        if (std::ssize(x) != config.embedding_dim)
            return status::shape("step: x holds embedding_dim numbers", std::ssize(x), config.embedding_dim);
        if (std::ssize(answers) != prompts_ * clip)
            return status::shape("step: answers holds prompts * clip_embed_dim numbers", std::ssize(answers),
                                 prompts_ * clip);
        index_t keys = 0;
        for (index_t i = 0; i < prompts_; ++i) {
            const cached_rows past = range(kept_.prompts[i]);
            keys = (std::max)(keys, past.count + own);
            const index_t turn = i % prompts_together(limits_.rows),
                          first = turn * own; // among the rows that attend together
            kept_.all[i] = {first, first, own, first, {past, {}}};
            kept_.last[i] = {first, first + own - 1, 1, turn, {past, {}}};
        }
        workspace memory(temporary_);
        context to(*device_, memory);
        run_step(to, layers_, {x.data(), timestep, answers.data()}, kept_, prompts_, keys, limits_.rows,
                 config.num_layers);
        return to.state;
    }

private:
    using operands = typename Model::weights::operands_type;
    using layers_type = prior_layers<config, operands>;
    static constexpr index_t inner = config.inner_dim(), clip = config.clip_embed_dim,
                             text_width = layers_type::text_width;
    static constexpr index_t prd = config.added_emb_type == added_emb::prd ? 1 : 0;
    static constexpr index_t own = 2 + prd; ///< rows of a step: the time, the latents, prd
    static_assert(config.additional_embeddings == 1 + own,
                  "apriori: in_place_prior takes latents of one token; this configuration's have another number");
    using rows_view = view<float, extents<dyn, inner>>;

    /// What is kept between calls.
    struct kept_memory {
        float* values = nullptr;        ///< [layers][prompt rows][2 inner]: keys and values
        row_range* prompts = nullptr;   ///< the rows of each prompt
        attention_group* all = nullptr; ///< of a step: every row is a query, or in the last layer only the answer
        attention_group* last = nullptr;

        constexpr kept_memory() = default;
        constexpr kept_memory(workspace& memory, in_place_limits l)
            : values(memory.take<float>(config.num_layers * l.prompt_rows * 2 * inner)),
              prompts(memory.take<row_range>(l.prompts)),
              all(memory.take<attention_group>(l.prompts)),
              last(memory.take<attention_group>(l.prompts)) {}
    };
    struct step_data {
        const float* x = nullptr;
        float timestep = 0;
        float* answers = nullptr;
    };

    static constexpr in_place_limits filled_in(in_place_limits l) {
        if (l.prompts < 1) l.prompts = 1;
        if (l.prompt_rows < 1) l.prompt_rows = l.prompts * (config.num_embeddings + 1);
        if (l.rows < 1 || l.rows > own * l.prompts) l.rows = own * l.prompts;
        return l;
    }
    static constexpr std::size_t temporaries(in_place_limits l) {
        const int depth = (std::min)(config.num_layers, 2); // the last layer, and one of those before it
        const auto step_pass = [&](auto& to) {
            run_step(to, layers_type{}, {}, {}, l.prompts, l.prompt_rows + own, l.rows, depth);
        };
        const auto text_pass = [&](auto& to) {
            const auto x = to.temporary(extents<dyn, inner>(l.rows));
            embed_text(to, layers_type{}, nullptr, 0, x);
            keep_rows(to, layers_type{}, x, {nullptr, 1, l.prompt_rows, l.rows}, nullptr, l, depth);
        };
        const auto pooled_pass = [&](auto& to) {
            const auto x = to.temporary(extents<dyn, inner>(1));
            embed_pooled(to, layers_type{}, nullptr, x);
        };
        return (std::max)({workspace_of<device_type>(step_pass), workspace_of<device_type>(text_pass),
                           workspace_of<device_type>(pooled_pass)});
    }

    static status check(const prior_prompt& p) {
        if (std::ssize(p.attention_mask) != config.num_embeddings || config.num_embeddings == 0)
            return status::invalid("prefix: an attention_mask of num_embeddings elements is needed",
                                   std::ssize(p.attention_mask), config.num_embeddings);
        if (std::ssize(p.last_hidden_state) != config.num_embeddings * text_width)
            return status::shape("prefix: last_hidden_state has another size than the model takes",
                                 std::ssize(p.last_hidden_state), config.num_embeddings * text_width);
        if (std::ssize(p.text_embeds) != config.embedding_proj_dim)
            return status::shape("prefix: text_embeds has another size than the model takes", std::ssize(p.text_embeds),
                                 config.embedding_proj_dim);
        return {};
    }

    cached_rows range(row_range r) const noexcept {
        return {kept_.values + r.first * 2 * inner, r.count, limits_.prompt_rows * 2 * inner, 2 * inner};
    }
    /// Rows first .. first + count of positional_embedding.
    static constexpr auto positions(const layers_type& layers, index_t first, index_t count) {
        return rows_of<inner>(advance(layers.w["positional_embedding"_w].data, first * inner), count, inner);
    }

    // ---- prompts
    // -------------------------------------------------------------------------------------------------------

    /// Computes the rows of a prompt: runs of unmasked tokens, then the pooled row. `filled` grows with them.
    status prefix_one(const prior_prompt& p, row_range& filled) const {
        const index_t most = limits_.rows;
        const auto masked = [&](index_t i) { return at(p.attention_mask, i) == 0; };
        for (index_t i = 0, n = 0; i < config.num_embeddings; i += (std::max)(n, index_t{1})) {
            n = 0;
            while (n < most && i + n < config.num_embeddings && !masked(i + n)) ++n;
            if (n == 0) continue;
            const status s = prefix_rows(filled, n, [&](auto& to, const auto& x) {
                embed_text(to, layers_, p.last_hidden_state.data() + i * text_width, i, x);
            });
            if (!s) return s;
        }
        return prefix_rows(filled, 1,
                           [&](auto& to, const auto& x) { embed_pooled(to, layers_, p.text_embeds.data(), x); });
    }
    /// Passes the next n rows of a prompt, which embed(to, x) writes, through all layers.
    status prefix_rows(row_range& filled, index_t n, const auto& embed) const {
        workspace memory(temporary_);
        context to(*device_, memory);
        const auto x = to.temporary(extents<dyn, inner>(n)); // [n, inner]
        embed(to, x);
        const attention_group group{0, 0, n, 0, {range(filled), {}}};
        keep_rows(to, layers_, x, {&group, 1, filled.count + n, n},
                  kept_.values + (filled.first + filled.count) * 2 * inner, limits_, config.num_layers);
        filled.count += n;
        return to.state;
    }
    /// x [n, inner] = the embeddings of the n tokens at `text`, of which the first has index `first`.
    static constexpr void embed_text(auto& to, const layers_type& layers, const float* text, index_t first,
                                     const rows_view& x) {
        const index_t n = x.ext()[0];
        to(x) = layers.text_rows(view(text, extents<dyn, text_width>(n))) + positions(layers, first, n);
        layers.norm_in(to, x);
    }
    static constexpr void embed_pooled(auto& to, const layers_type& layers, const float* pooled, const rows_view& x) {
        to(x) = layers.pooled_rows(view(pooled, extents<dyn, config.embedding_proj_dim>(1))) +
                positions(layers, config.num_embeddings, 1);
        layers.norm_in(to, x);
    }
    /// Passes rows x through `depth` layers; writes their keys and values to `kept` [depth][prompt rows][2 inner].
    static constexpr void keep_rows(auto& to, const layers_type& layers, const rows_view& x,
                                    const attention_groups& groups, float* kept, in_place_limits l, int depth) {
        for (int i = 0; i < depth; ++i) {
            const auto temporaries = to.scope();
            const auto a = to.temporary(extents<dyn, inner>(x.ext()[0])); // [n, inner]
            {
                const auto until_attended = to.scope();
                const auto qkv = qkv_of(to, layers, x, i);
                const view there(advance(kept, i * l.prompt_rows * 2 * inner), extents<dyn, 2 * inner>(x.ext()[0]));
                to(there) = slice<1, 2 * inner>(qkv, inner);
                if (i + 1 == depth) return; // the rest of the last layer is not needed
                to(a) = cached_attention<config.num_attention_heads>(qkv, groups, i, layers.scale);
            }
            after_attention(to, layers, x, a, i, l.rows);
        }
    }

    // ---- steps
    // ---------------------------------------------------------------------------------------------------------

    /// Passes the rows [time, latents, prd] of all prompts through `depth` layers: all of the
    /// model's, or fewer to plan memory.
    static constexpr void run_step(auto& to, const layers_type& layers, const step_data& data, const kept_memory& kept,
                                   index_t prompts, index_t keys, index_t at_once, int depth) {
        const rows_view x = to.temporary(extents<dyn, inner>(prompts * own)); // [prompts * own, inner]
        embed_step(to, layers, data, slice_rows(x, 0, own));
        for (index_t p = 1; p < prompts; ++p) to(slice_rows(x, p * own, own)) = slice_rows(x, 0, own);
        const index_t together = prompts_together(at_once);
        for (int i = 0; i < depth; ++i)
            for (index_t p = 0; p < prompts; p += together)
                step_layer(to, layers, data, kept, x, p, (std::min)(together, prompts - p), keys, at_once, i,
                           i + 1 == depth);
    }
    /// The number of prompts whose rows attend together.
    static constexpr index_t prompts_together(index_t at_once) { return (std::max)(at_once / own, index_t{1}); }

    /// Passes rows x of prompts p .. p + count through layer i; in the last layer only the answers are computed.
    static constexpr void step_layer(auto& to, const layers_type& layers, const step_data& data,
                                     const kept_memory& kept, const rows_view& x, index_t p, index_t count,
                                     index_t keys, index_t at_once, int i, bool last) {
        const index_t queries = last ? count : count * own;
        const auto temporaries = to.scope();
        const auto a = to.temporary(extents<dyn, inner>(queries)); // [queries, inner]
        {
            const auto until_attended = to.scope();
            const auto qkv = qkv_of(to, layers, slice_rows(x, p * own, count * own), i);
            const attention_groups groups{advance(last ? kept.last : kept.all, p), count, keys, queries};
            to(a) = cached_attention<config.num_attention_heads>(qkv, groups, i, layers.scale);
        }
        const auto y = last ? rows_of<inner>(advance(x.data, (p * own + own - 1) * inner), count, own * inner)
                            : rows_of<inner>(advance(x.data, p * own * inner), count * own, inner);
        after_attention(to, layers, y, a, i, at_once);
        if (last) to(view(advance(data.answers, p * clip), extents<dyn, clip>(count))) = layers.answer_rows(y);
    }
    /// x [own, inner] = the embedded time, latents and prd.
    static constexpr void embed_step(auto& to, const layers_type& layers, const step_data& data, const rows_view& x) {
        constexpr index_t first = config.num_embeddings + 1;
        const auto row = [&](index_t i) { return slice_rows(x, i, 1); };
        layers.embed_time(to, row(0), view(&data.timestep, extents<dyn, 1>(1)), positions(layers, first, 1));
        to(row(1)) =
            layers.latent_rows(view(data.x, extents<dyn, config.embedding_dim>(1))) + positions(layers, first + 1, 1);
        if constexpr (prd != 0) to(row(2)) = layers.w["prd_embedding"_w] + positions(layers, first + 2, 1);
        layers.norm_in(to, x);
    }
    static constexpr rows_view slice_rows(const rows_view& x, index_t first, index_t count) {
        return rows_view(advance(x.data, first * inner), extents<dyn, inner>(count));
    }

    /// Passes rows y through the rest of layer i, `at_once` at a time; `a` is the result of attention.
    static constexpr void after_attention(auto& to, const layers_type& layers, const auto& y, const auto& a, int i,
                                          index_t at_once) {
        const index_t rows = y.ext()[0];
        for (index_t r = 0; r < rows; r += at_once) {
            const auto some = [&](const auto& v) {
                return rows_of<inner>(advance(v.data, r * v.stride(0)), (std::min)(at_once, rows - r), v.stride(0));
            };
            layers.block(i).after_attention(to, some(y), some(a));
        }
    }
    /// Queries, keys and values of rows x in layer i, in a temporary.
    static constexpr auto qkv_of(auto& to, const layers_type& layers, const rows_view& x, int i) {
        const auto qkv = to.temporary(extents<dyn, 3 * inner>(x.ext()[0])); // [rows, 3 * inner]
        to(qkv) = layers.block(i).qkv_of(x);
        return qkv;
    }

    device_type* device_;
    layers_type layers_;
    in_place_limits limits_;
    status state_;
    kept_memory kept_{};
    std::span<std::byte> temporary_{};
    index_t prompts_ = 0;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
