// SPDX-License-Identifier: Apache-2.0
// apriori verify: computes every recorded case of a model again, and compares.
#include "apriori/io/config_json.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_parameters.hpp"
#include "commands.hpp"
#include "compare.hpp"
#include "instances.hpp"
#include "model_folder.hpp"
#include "reference_cases.hpp"
#include "say.hpp"
#include "terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

namespace apriori::program {

namespace {

constexpr double forward_tolerance = 2e-5; ///< times the largest |expected|, if that is above 1
constexpr double trace_tolerance = 2e-4;

struct tally {
    int cases = 0, over = 0;

    void add(const std::string& name, const comparison& c, const std::vector<index_t>& shape) {
        ++cases;
        over += c.within() ? 0 : 1;
        say(stdout, "  {:<24} {:.2e} at {}, expected up to {:.3g}, tolerance {:.2e}  {}\n", printable(name), c.error,
            place_text(shape, c.where), c.largest, c.tolerance, c.within() ? "ok" : "OVER");
        std::fflush(stdout);
    }
};

struct loaded_model {
    std::unique_ptr<any_prior> prior;
    bool synthetic = false;
};

result<loaded_model> load(const std::filesystem::path& folder, const PriorConfig& config, const prior_entry& entry,
                          int threads) {
    loaded_model m;
    auto weights = io::open_weights(folder);
    m.synthetic = !weights && weights.error().code == errc::not_found;
    if (!weights && !m.synthetic) return weights.error();
    auto prior = weights ? entry.load(any_source(*weights), threads)
                         : entry.load(any_source(io::synthetic_source(tensor_list(config).infos())), threads);
    if (!prior) return failure{prior.error().code, folder.string() + ": " + prior.error().message};
    m.prior = std::move(*prior);
    return m;
}

/// The scheduler of the folder, or the one with which generate.py records.
result<schedule> planned(const std::filesystem::path& folder, const sampling_case& c) {
    any_scheduler_config config =
        UnCLIPSchedulerConfig{.clip_sample_range = 5.0F, .prediction_type = prediction_kind::sample};
    if (const auto file = folder / "scheduler_config.json"; is_there(file)) {
        auto loaded = io::load_scheduler_config(file);
        if (!loaded) return loaded.error();
        config = *loaded;
    }
    schedule steps;
    if (const status s = plan_schedule(config, {.num_inference_steps = static_cast<int>(c.timesteps.rows())}, steps);
        !s.ok())
        return to_failure(s);
    if (!std::ranges::equal(steps.timesteps(), c.timesteps.values))
        return failure{errc::invalid_argument,
                       fmt::format("sample.timesteps are not those that {} plans", class_name(config))};
    return steps;
}

result<void> verify_sampling(const std::filesystem::path& folder, const reference_cases& cases,
                             const PriorConfig& config, any_prior& prior, tally& t) {
    const auto c = cases.sampling(config);
    if (!c) return c.error();
    auto steps = planned(folder, *c);
    if (!steps) return steps.error();
    const auto dim = static_cast<std::size_t>(config.embedding_dim);
    std::vector<float> trace;
    sampling_task task;
    task.steps = &*steps;
    std::vector<prior_prompt> prompts;
    if (uses_guidance(c->guidance)) prompts.push_back(c->unconditional.prompt());
    prompts.push_back(c->conditional.prompt());
    task.prompts = prompts;
    task.options.guidance_scale = c->guidance;
    task.options.latents_for_callback = true;
    task.latents = c->latents.values;
    // recorded for every step, including those that draw none
    std::size_t next = 0;
    task.noise = [&](std::span<float> z) {
        std::copy_n(c->noise.values.begin() + static_cast<std::ptrdiff_t>(next * dim), z.size(), z.begin());
    };
    task.options.on_step = [&](const sampling_step& step) {
        trace.insert(trace.end(), step.latents.begin(), step.latents.end());
        next = static_cast<std::size_t>(step.index) + 1;
        return interrupt_signal() == 0;
    };
    const auto embedding = prior.sample(task);
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!embedding) return embedding.error();
    t.add("sample.trace", compare(trace, c->trace.values, trace_tolerance, false), c->trace.shape);
    t.add("sample.image_embedding", compare(*embedding, c->image_embedding.values, trace_tolerance, false),
          c->image_embedding.shape);
    return {};
}

result<void> verify_model(const catalogue& models, const std::filesystem::path& folder, const device_options& on,
                          tally& t) {
    auto config = io::load_config<PriorConfig>(folder);
    if (!config) return config.error();
    const auto entry = models.find(*config, on, folder / "config.json");
    if (!entry) return entry.error();
    const auto cases = reference_cases::open(folder / "cases.safetensors");
    if (!cases) return cases.error();
    const auto model = load(folder, *config, **entry, on.threads);
    if (!model) return model.error();
    say(stdout, "{} on {}{}\n", folder.string(), on.device, model->synthetic ? ", synthetic weights" : "");
    for (const auto& name : cases->forward_names()) {
        const auto c = cases->forward(name);
        if (!c) return c.error();
        const auto got = model->prior->forward(c->arguments);
        if (interrupt_signal() != 0) return interrupt_failure();
        if (!got)
            return failure{got.error().code, fmt::format("{}: case {}: {}", (folder / "cases.safetensors").string(),
                                                         io::quote(name), got.error().message)};
        if (got->shape != c->expected.shape)
            return failure{errc::shape_mismatch,
                           fmt::format("{}: case {}: predicted_image_embedding is {}; the model gives {}",
                                       (folder / "cases.safetensors").string(), io::quote(name),
                                       shape_text(c->expected.shape), shape_text(got->shape))};
        t.add(name, compare(got->values, c->expected.values, forward_tolerance, true), c->expected.shape);
    }
    return cases->has_sampling() ? verify_sampling(folder, *cases, canonical(*config), *model->prior, t)
                                 : result<void>();
}

/// The folder itself if it has cases, otherwise the folders in it that do.
result<std::vector<std::filesystem::path>> models_in(const std::filesystem::path& folder) {
    const auto holds = [](const std::filesystem::path& f) { return is_there(f / "cases.safetensors"); };
    if (!is_there(folder)) return failure{errc::not_found, folder.string() + ": no such folder"};
    std::vector<std::filesystem::path> models;
    if (holds(folder)) models.push_back(folder);
    std::error_code error;
    if (models.empty())
        for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
            if (holds(at->path())) models.push_back(at->path());
    if (models.empty())
        return failure{errc::not_found, folder.string() + ": holds no cases.safetensors, nor does a folder in it"};
    std::sort(models.begin(), models.end());
    return models;
}

} // namespace

result<exit_code> run_verify(const verify_options& options) {
    const auto compiled = catalogue::open(options.on);
    if (!compiled) return compiled.error();
    std::vector<std::filesystem::path> models;
    for (const auto& folder : options.folders) {
        auto found = models_in(folder);
        if (!found) return found.error();
        models.insert(models.end(), found->begin(), found->end());
    }
    tally t;
    std::optional<failure> last; // after an error the other models are still verified
    for (const auto& model : models) {
        auto r = verify_model(*compiled, model, options.on, t);
        if (r) continue;
        if (last) say(stderr, "apriori: {}\n", on_one_line(last->message));
        last = r.error();
        if (r.error().code == errc::cancelled) break;
    }
    if (last) return *last;
    if (t.over > 0)
        say(stdout, "{} of {} comparisons are over their tolerance\n", t.over, t.cases);
    else
        say(stdout, "all {} comparisons are within their tolerance\n", t.cases);
    return t.over > 0 ? over_tolerance : done;
}

} // namespace apriori::program
