// SPDX-License-Identifier: Apache-2.0
// apriori bench: times the parts of sampling, and compares them with the machine's peak rates, measured in between.
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_input.hpp"
#include "apriori/schedulers/any_scheduler.hpp"
#include "bench_report.hpp"
#include "commands.hpp"
#include "instances.hpp"
#include "interrupt.hpp"
#include "lora_option.hpp"
#include "model_weights.hpp"
#include "process.hpp"
#include "progress.hpp"
#include "say.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace apriori::program {

namespace {

/// A prompt of so many unmasked tokens for the configuration; its numbers do not influence the time.
condition make_condition(const PriorConfig& c, const char* name, int tokens) {
    condition made;
    // Shap-E's image prior takes the patches of an image, without text; the others take a pooled embedding.
    const bool patches = c == canonical(presets::shap_e_img2img);
    made.text_embeds.resize(static_cast<std::size_t>(c.embedding_proj_dim) * (patches ? 256 : 1));
    io::synthetic_normal(name, made.text_embeds);
    if (c.encoder_hid_proj_type != hid_proj_type::linear || c.num_embeddings == 0) return made;
    made.last_hidden_state.resize(static_cast<std::size_t>(c.num_embeddings * c.embedding_dim));
    io::synthetic_normal(name, made.last_hidden_state);
    made.attention_mask.assign(static_cast<std::size_t>(c.num_embeddings), 0);
    std::fill_n(made.attention_mask.begin(), std::min(tokens, c.num_embeddings), std::uint8_t{1});
    return made;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Repeats a work for `least_seconds`, but at most `most_runs` times; once if it takes that long.
result<void> time_work(timing& t, double least_seconds, std::size_t most_runs) {
    double spent = 0;
    for (std::size_t i = 0; i < most_runs && (i == 0 || spent < least_seconds); ++i) {
        const auto start = std::chrono::steady_clock::now();
        if (auto r = t.work.run(); !r) return r;
        t.seconds.push_back(seconds_since(start));
        spent += t.seconds.back();
        if (interrupt_signal() != 0) return interrupt_failure();
    }
    return {};
}

/// Measures all works in turn, with the ceilings between them, in `rounds` rounds.
result<void> measure(bench_report& report, any_prior& model, int rounds) {
    // A sampling comes first, so that the peak of memory is that of sampling.
    std::vector<std::size_t> order(report.works.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_partition(order.begin(), order.end(),
                          [&](std::size_t i) { return report.works[i].work.name == "sample"; });
    const ceiling_probes ceilings = model.ceilings();
    progress bar(static_cast<int>(order.size()) * (rounds + 1), "measurements");
    int done = 0;
    for (int round = 0; round <= rounds; ++round)
        for (const std::size_t i : order) {
            timing& t = report.works[i];
            bar.at(done++, t.work.name);
            if (round == 0 && t.work.prepare)
                if (auto r = t.work.prepare(); !r) return r;
            if (auto r = time_work(t, round == 0 ? 0 : 0.1, round == 0 ? 1 : 200); !r) return r;
            if (round == 0) { // not counted: memory is touched and threads wake up
                if (i == order.front()) {
                    report.first = t.seconds.front();
                    report.peak_memory_bytes = peak_memory_bytes();
                }
                t.seconds.clear();
            } else if (ceilings.gflops) {
                report.gflops.push_back(ceilings.gflops());
                report.gbytes.push_back(ceilings.gbytes());
            }
        }
    return {};
}

} // namespace

result<exit_code> run_bench(const bench_options& options) {
    const auto start = std::chrono::steady_clock::now();
    device_options on = options.on;
    const auto packed = open_packed(options.packed, on);
    if (!packed) return packed.error();
    auto loras = open_loras(options.loras, options.packed);
    if (!loras) return loras.error();
    const auto models = catalogue::open(on);
    if (!models) return models.error();
    auto found = find_subject(*models, on, options.preset, options.model);
    if (!found) return found.error();
    if (options.preset.empty() && !*packed) // a folder without weights gets synthetic ones
        if (auto r = found->open_weights(); !r && r.error().code != errc::not_found) return r.error();
    found->loras = std::move(*loras);
    const PriorConfig& c = found->entry->config;
    if (options.tokens > c.num_embeddings && c.encoder_hid_proj_type == hid_proj_type::linear)
        return failure{errc::invalid_argument,
                       fmt::format("--tokens {}: the model takes 1 to {}", options.tokens, c.num_embeddings)};
    schedule steps;
    if (const status s =
            plan_schedule(UnCLIPSchedulerConfig{.clip_sample_range = 5.0F, .prediction_type = prediction_kind::sample},
                          {.num_inference_steps = options.steps}, steps);
        !s.ok())
        return failure{s.code, fmt::format("--steps {}: {}", options.steps, to_failure(s).message)};

    auto model = *packed ? attach(*found->entry, **packed, on.threads) : load(*found, on.threads);
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!model) return failure{model.error().code, found->name + ": " + model.error().message};

    bench_report report;
    report.load = seconds_since(start);
    report.ready = seconds_since_start();
    report.model = found->name;
    report.source = *packed ? "packed" : !found->loras.empty() ? "merged" : found->weights ? "stored" : "synthetic";
    report.device = on.device;
    report.arch = models->arch_of(on.device);
    report.weights = found->entry->weights;
    report.threads = on.threads;
    report.weight_bytes = static_cast<std::int64_t>(found->entry->weight_bytes);
    report.samples = options.samples;
    report.steps = options.steps;

    const condition conditional = make_condition(c, "conditional", options.tokens),
                    unconditional = make_condition(c, "unconditional", 2);
    const auto live = [](const condition& p) {
        return static_cast<int>(std::count(p.attention_mask.begin(), p.attention_mask.end(), std::uint8_t{1}));
    };
    report.tokens = live(conditional);
    report.unconditional_tokens = live(unconditional);
    bench_task task;
    report.guidance = task.guidance;
    task.steps = &steps;
    task.samples = options.samples;
    task.conditional = &conditional;
    task.unconditional = &unconditional;
    task.hidden_tokens = apriori::limits{}.filled_in(c).hidden_tokens;
    task.forward_rows = {1, 2};
    if (options.rows_forward > 2) task.forward_rows.push_back(options.rows_forward);
    auto works = (*model)->works(task);
    if (!works) return works.error();
    for (timed_work& w : *works) report.works.push_back({std::move(w), {}});
    if (auto r = measure(report, **model, options.repeats); !r) return r.error();
    say(stdout, "{}", options.json ? report.json() : report.table());
    return done;
}

} // namespace apriori::program
