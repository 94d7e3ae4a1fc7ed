// SPDX-License-Identifier: Apache-2.0
// The work that apriori bench times: prefix, kv cache, step, whole samplings and forwards, each ready to be repeated.
#pragma once

#include "any_prior.hpp"
#include "apriori/core/torch_random.hpp"
#include "apriori/models/prior_transformer.hpp"
#include "apriori/pipelines/incremental_denoiser.hpp"
#include "apriori/pipelines/sampler.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace apriori::program {

template <class Model>
class prior_works {
    using device_type = typename Model::device_type;
    using weights = typename Model::weights;
    using step_denoiser = incremental_denoiser<Model>;
    static constexpr PriorConfig config = Model::config;
    static constexpr index_t width = config.embedding_dim;
    /// FLOPs of one row in one block: for q, k and v, and for the whole block except attention itself.
    static constexpr double qkv_flops = 6.0 * Model::inner * Model::inner, block_flops = 4 * qkv_flops;

    using kv_cache_ptr = std::shared_ptr<const prior_kv_cache<device_type>>;

    /// The state that all works share; must not be moved.
    struct shared {
        Model model;
        bench_task task;
        std::vector<prior_prompt> branches{}; ///< [unconditional, conditional]
        std::vector<float> latents{}, out{}, times{};
        device_array<float, device_type> x{};
        torch_generator generator{0};
        std::shared_ptr<const prior_prefix<device_type>> prefix{};
        kv_cache_ptr kept{}; ///< that of the unconditional branch
    };
    using shared_ptr = std::shared_ptr<shared>;

public:
    /// True if the model samples incrementally: prompts have masks, and the device has the kernels.
    static constexpr bool incremental =
        Model::has_step && Model::input::has_prd && config.clip_embed_dim == width && config.num_embeddings > 0 &&
        requires(device_type& device, const ops::cached_attention& op) { device.run(op); };

    /// Bytes of the packed matrices that a step reads.
    static constexpr std::size_t step_weight_bytes() {
        constexpr auto layout = weights::operands_type::layout;
        return layout.block_bytes * static_cast<std::size_t>(config.num_layers) + layout.at("proj_in.weight").bytes +
               layout.at("proj_to_clip_embeddings.weight").bytes;
    }

    static result<std::vector<timed_work>> make(const Model& model, const bench_task& task) {
        auto s = std::make_shared<shared>(shared{model, task});
        for (const condition* c : {task.unconditional, task.conditional}) s->branches.push_back(c->prompt());
        s->times.assign(task.steps->timesteps().begin(), task.steps->timesteps().end());
        s->latents.resize(static_cast<std::size_t>(task.samples * task.hidden_tokens * width));
        s->out.resize(s->latents.size());
        s->generator.randn(s->latents);
        device_staging on(model.device(), "no memory for the latents");
        s->x = on.copy(s->latents);
        if (!on.state.ok()) return to_failure(on.state);

        std::vector<timed_work> works;
        if constexpr (incremental)
            add_incremental(works, s);
        else
            works.push_back(full_step(s));
        for (const index_t rows : task.forward_rows) works.push_back(forward(s, rows));
        return works;
    }

private:
    static auto latents_view(const shared& s) {
        return view<const float, extents<dyn, width>>(
            s.x.data(), extents<dyn, width>(static_cast<index_t>(s.latents.size()) / width));
    }
    template <class R>
    static result<void> only_whether(const shared& s, const R& made) {
        if (!made) return made.error();
        return s.model.device().synchronize();
    }

    template <class Branches>
    static result<void> sample_branches(shared& s, Branches&& branches) {
        auto denoiser = step_denoiser::make(s.model, std::forward<Branches>(branches), s.task.samples);
        if (!denoiser) return denoiser.error();
        sampling_options options;
        options.guidance_scale = s.task.guidance;
        return apriori::sample(
            s.model, *denoiser, *s.task.steps, s.latents, [&s](std::span<float> z) { s.generator.randn(z); }, s.out,
            options);
    }

    static result<kv_cache_ptr> kv_cache_of(const shared& s, std::span<const prior_prompt> prompts) {
        auto prefix = s.model.prefix(prompts);
        if (!prefix) return prefix.error();
        return s.model.kv_cache(*prefix, s.times);
    }

    /// The number of rows of a prompt in a prefix.
    static double prefix_rows(const prior_prompt& p) {
        return static_cast<double>(
            std::count_if(p.attention_mask.begin(), p.attention_mask.end(), [](auto m) { return m != 0; }) +
            static_cast<std::ptrdiff_t>(p.text_embeds.size()) / config.embedding_proj_dim);
    }

    static void add_incremental(std::vector<timed_work>& works, const shared_ptr& s) {
        using branch = typename step_denoiser::branch;
        const double steps = static_cast<double>(s->times.size()), conditional = prefix_rows(s->branches[1]),
                     both = conditional + prefix_rows(s->branches[0]), read = static_cast<double>(step_weight_bytes()),
                     step_rows = 4 * static_cast<double>(s->task.samples); // x_t and prd, in two branches
        // the last layer of a cache has only keys and values
        const auto cached_flops = [](double rows) {
            return rows * (block_flops * (config.num_layers - 1) + qkv_flops);
        };
        const auto rows_flops = [](double rows) { return rows * block_flops * config.num_layers; };
        const double step_flops =
            static_cast<double>(Model::step_plan({.rows = 2 * s->task.samples, .samples = s->task.samples}).flops());
        const work_part stepping{steps, rows_flops(step_rows), read};

        works.push_back({"prefix", cached_flops(both), read, {{1, cached_flops(both), read}}, {}, [s] {
                             return only_whether(*s, s->model.prefix(s->branches));
                         }});
        works.push_back({"kv_cache",
                         cached_flops(2 * steps),
                         read,
                         {{1, cached_flops(2 * steps), read}},
                         [s] { return keep(s->prefix, s->model.prefix(s->branches)); },
                         [s] { return only_whether(*s, s->model.kv_cache(s->prefix, s->times)); }});
        const auto denoiser = std::make_shared<std::optional<step_denoiser>>();
        works.push_back(
            {"step",
             step_flops,
             read,
             {{1, stepping.flops, read}},
             [s, denoiser]() -> result<void> {
                 const auto c = kv_cache_of(*s, s->branches);
                 if (!c) return c.error();
                 return keep(*denoiser, step_denoiser::make(s->model, {branch{*c, 0}, branch{*c, 1}}, s->task.samples));
             },
             [s, denoiser] { return only_whether(*s, (**denoiser)(latents_view(*s), s->times[0])); }});
        works.push_back({"sample",
                         cached_flops(both + 2 * steps) + steps * step_flops,
                         (steps + 2) * read,
                         {{1, rows_flops(both + 2 * steps), 0}, stepping},
                         {},
                         [s]() -> result<void> {
                             const auto c = kv_cache_of(*s, s->branches);
                             if (!c) return c.error();
                             return sample_branches(*s, std::vector{branch{*c, 0}, branch{*c, 1}});
                         }});
        works.push_back({"sample_kept",
                         cached_flops(conditional + steps) + steps * step_flops,
                         (steps + 2) * read,
                         {{1, rows_flops(conditional + steps), 0}, stepping},
                         [s] { return keep(s->kept, kv_cache_of(*s, std::span(s->branches).first(1))); },
                         [s]() -> result<void> {
                             const auto c = kv_cache_of(*s, std::span(s->branches).last(1));
                             if (!c) return c.error();
                             return sample_branches(*s, std::vector{branch{s->kept, 0}, branch{*c, 0}});
                         }});
    }

    template <class T, class R>
    static result<void> keep(T& to, R&& made) {
        if (!made) return made.error();
        to = std::move(*made);
        return {};
    }

    /// The limits of a forward of `rows` rows for the task's inputs.
    static limits limits_of(const shared& s, index_t rows) {
        const prior_prompt& p = s.branches.back();
        return limits{.rows = rows,
                      .hidden_tokens = s.task.hidden_tokens,
                      .proj_tokens = static_cast<index_t>(p.text_embeds.size()) / config.embedding_proj_dim,
                      .text_tokens = static_cast<index_t>(p.last_hidden_state.size()) / Model::input::text_width}
            .filled_in(config);
    }
    static timed_work planned(std::string name, const shared& s, index_t rows) {
        const double flops = static_cast<double>(Model::plan(limits_of(s, rows)).flops()),
                     read = static_cast<double>(weights::bytes());
        return {std::move(name), flops, read, {{1, flops, read}}};
    }

    /// A step by the full forward: every sample in both branches.
    static timed_work full_step(const shared_ptr& s) {
        using denoiser_type = forward_denoiser<Model>;
        const auto denoiser = std::make_shared<std::optional<denoiser_type>>();
        timed_work w = planned("step", *s, 2 * s->task.samples);
        w.prepare = [s, denoiser] {
            return keep(*denoiser, denoiser_type::make(s->model, s->branches, s->task.samples, s->task.hidden_tokens));
        };
        w.run = [s, denoiser] { return only_whether(*s, (**denoiser)(latents_view(*s), s->times[0])); };
        return w;
    }

    /// A forward of `rows` rows that attend to all tokens of the prompt.
    static timed_work forward(const shared_ptr& s, index_t rows) {
        using denoiser_type = forward_denoiser<Model>;
        struct state {
            std::optional<denoiser_type> denoiser{};
            device_array<float, device_type> x{};
        };
        const auto f = std::make_shared<state>();
        const index_t count = rows * s->task.hidden_tokens;
        timed_work w = planned("forward_" + std::to_string(rows), *s, rows);
        w.prepare = [s, f, rows, count]() -> result<void> {
            prior_prompt prompt = s->branches.back();
            const std::vector<std::uint8_t> seen(prompt.attention_mask.size(), 1);
            prompt.attention_mask = seen;
            std::vector<float> values(static_cast<std::size_t>(count * width));
            s->generator.randn(values);
            device_staging on(s->model.device(), "no memory for the latents of a forward");
            f->x = on.copy(values);
            if (!on.state.ok()) return to_failure(on.state);
            return keep(f->denoiser, denoiser_type::make(s->model, std::span(&prompt, 1), rows, s->task.hidden_tokens));
        };
        w.run = [s, f, count] {
            const view<const float, extents<dyn, width>> x(f->x.data(), extents<dyn, width>(count));
            return only_whether(*s, (*f->denoiser)(x, 500.0F));
        };
        return w;
    }
};

} // namespace apriori::program
