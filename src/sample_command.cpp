// SPDX-License-Identifier: Apache-2.0
// apriori sample: prompt by prompt, latents and noise from one generator in the order in which diffusers draws them.
#include "apriori/core/torch_random.hpp"
#include "apriori/core/version.hpp"
#include "apriori/io/config_json.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "commands.hpp"
#include "conditions.hpp"
#include "contact_sheet.hpp"
#include "decoder.hpp"
#include "instances.hpp"
#include "model_folder.hpp"
#include "model_weights.hpp"
#include "output_file.hpp"
#include "progress.hpp"
#include "terminal.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

namespace apriori::program {

namespace {

/// The prompts to sample: those that were named, or all but the empty one.
std::vector<std::string> prompts_of(const sample_options& options, const conditions_file& conditions) {
    if (!options.names.empty()) return options.names;
    std::vector<std::string> all;
    for (const auto& name : conditions.names())
        if (name != conditions_file::unconditional) all.push_back(name);
    return all;
}

/// Everything that a run reads, checked before it begins.
struct sampling_inputs {
    PriorConfig config;
    std::string scheduler, weights, arch; ///< weights: their format; arch: empty where the device has one build
    schedule steps;
    std::vector<std::string> prompts;
    std::vector<condition> conditions; ///< of the prompts
    condition unconditional;
    std::optional<decoder> pictures;
    std::unique_ptr<any_prior> model;
};

result<void> plan_steps(const sample_options& options, const pipeline_folder& folder, sampling_inputs& in) {
    const auto config = io::load_scheduler_config(folder.scheduler());
    if (!config) return config.error();
    in.scheduler = class_name(*config);
    if (const status s = plan_schedule(*config, {.num_inference_steps = options.steps}, in.steps); !s.ok())
        return failure{s.code, fmt::format("--steps {}: {}", options.steps, to_failure(s).message)};
    return {};
}

result<void> read_conditions(const sample_options& options, sampling_inputs& in) {
    auto file = conditions_file::open(options.conditions);
    if (!file) return file.error();
    in.prompts = prompts_of(options, *file);
    if (in.prompts.empty())
        return failure{errc::not_found, options.conditions.string() + ": holds the unconditional condition alone"};
    for (const auto& prompt : in.prompts) {
        auto c = file->read(prompt, in.config);
        if (!c) return c.error();
        in.conditions.push_back(std::move(*c));
    }
    if (options.guidance <= 1.0F) return {};
    auto c = file->read(conditions_file::unconditional, in.config);
    if (!c) return failure{c.error().code, c.error().message + " (--guidance above 1 needs it)"};
    in.unconditional = std::move(*c);
    return {};
}

/// The weights that were asked for, checked, in the model; and what the outputs must not replace.
result<std::unique_ptr<any_prior>> load_model(const sample_options& options, const pipeline_folder& folder,
                                              sampling_inputs& in) {
    device_options on = options.on;
    const auto image = open_image(options.packed, on);
    if (!image) return image.error();
    const auto models = catalogue::open(on);
    if (!models) return models.error();
    const auto entry = models->find(in.config, on, folder.prior() / "config.json");
    if (!entry) return entry.error();
    in.weights = (*entry)->weights;
    in.arch = models->arch_of(on.device);
    const std::vector<output_file> outputs{{"--out", options.out}, {"--png", options.png}};
    if (*image) {
        if (auto r = check_outputs(outputs, {options.packed, options.conditions}); !r) return r.error();
        return attach(**entry, **image, on.threads);
    }
    const auto weights = io::open_weights(folder.prior());
    if (!weights) return weights.error();
    std::vector<std::filesystem::path> read = weights->files();
    read.push_back(options.conditions);
    if (auto r = check_outputs(outputs, read); !r) return r.error();
    auto model = (*entry)->load(any_source(*weights), on.threads);
    if (!model) return failure{model.error().code, folder.prior().string() + ": " + model.error().message};
    return model;
}

result<sampling_inputs> read_inputs(const sample_options& options) {
    if (auto known = catalogue::open(options.on); !known) return known.error();
    auto folder = pipeline_folder::open(options.model);
    if (!folder) return folder.error();
    sampling_inputs in;
    auto config = io::load_prior_config(folder->prior());
    if (!config) return config.error();
    in.config = canonical(*config);
    if (auto r = plan_steps(options, *folder, in); !r) return r.error();
    if (auto r = read_conditions(options, in); !r) return r.error();
    if (decoder::recognises(folder->decoder())) {
        auto d = decoder::open(folder->decoder());
        if (!d) return d.error();
        if (in.config.clip_embed_dim == decoder::embedding_dim) in.pictures.emplace(std::move(*d));
    }
    if (!options.png.empty() && !in.pictures)
        return failure{errc::unsupported, options.model.string() + ": --png needs a decoder/ that makes pictures, as "
                                                                   "examples/digits has one; leave --png away"};
    auto model = load_model(options, *folder, in);
    if (!model) return model.error();
    in.model = std::move(*model);
    return in;
}

/// Writes [prompts x samples, dim], the samples of a prompt one behind the other.
result<void> write_embeddings(const sample_options& options, const sampling_inputs& in, std::span<const float> embeds) {
    io::safetensors_writer out;
    const index_t rows = static_cast<index_t>(in.prompts.size()) * options.samples;
    if (auto r = out.add("image_embeds", {rows, in.config.clip_embed_dim}, embeds); !r) return r;
    const std::pair<const char*, std::string> settings[] = {
        {"prompts", io::json(in.prompts).dump(-1, ' ', false, io::json::error_handler_t::replace)},
        {"samples", std::to_string(options.samples)},
        {"steps", std::to_string(options.steps)},
        {"guidance", fmt::format("{}", options.guidance)},
        {"seed", std::to_string(options.seed)},
        {"scheduler", in.scheduler},
        {"device", options.on.device},
        {"arch", in.arch},
        {"weights", in.weights},
        {"model", pipeline_folder{options.model}.name()},
        {"apriori", version::string}};
    for (const auto& [key, value] : settings)
        if (auto r = out.metadata(key, value); !r) return r;
    return out.write(options.out);
}

/// Prints prompts and pictures as they are made, and keeps what the PNG and the last lines need.
class show {
public:
    explicit show(const sample_options& options, const sampling_inputs& in) : options_(options), in_(in) {}

    result<void> prompt(const std::string& name, std::span<const float> embeds) {
        if (!in_.pictures) return {};
        auto pictures = (*in_.pictures)(embeds);
        if (!pictures) return pictures.error();
        const auto hits = in_.pictures->count_hits(name, embeds);
        fmt::print("{}{}\n{}\n", printable(name), hits ? fmt::format("  {} of {}", *hits, options_.samples) : "",
                   picture_lines(*pictures, palette_of(stdout), terminal_width(stdout)));
        std::fflush(stdout);
        sheet_.add_row(*pictures);
        if (hits) {
            hits_ += *hits;
            of_ += options_.samples;
        }
        return {};
    }
    void summary(double seconds) const {
        if (of_ > 0) fmt::print("nearest to the digit that the prompt names: {} of {}\n", hits_, of_);
        fmt::print("{} sample{} of {} prompt{} in {:.2f} s\n", options_.samples, options_.samples == 1 ? "" : "s",
                   in_.prompts.size(), in_.prompts.size() == 1 ? "" : "s", seconds);
    }
    const contact_sheet& sheet() const noexcept { return sheet_; }

private:
    const sample_options& options_;
    const sampling_inputs& in_;
    contact_sheet sheet_;
    int hits_ = 0, of_ = 0;
};

} // namespace

result<exit_code> run_sample(const sample_options& options) {
    auto in = read_inputs(options);
    if (!in) return in.error();
    const auto start = std::chrono::steady_clock::now();
    const auto dim = static_cast<std::size_t>(in->config.embedding_dim);
    const std::size_t each = static_cast<std::size_t>(options.samples) * dim; // floats of a prompt
    const int steps = static_cast<int>(in->steps.steps().size()), prompts = static_cast<int>(in->prompts.size());

    torch_generator generator(options.seed);
    std::vector<float> latents(each), embeds;
    progress bar(steps * prompts);
    show shown(options, *in);
    for (int p = 0; p < prompts; ++p) {
        const auto at = static_cast<std::size_t>(p);
        generator.randn(latents);
        sampling_task task;
        task.steps = &in->steps;
        task.guidance = options.guidance;
        task.samples = options.samples;
        task.unconditional = &in->unconditional;
        task.conditional = &in->conditions[at];
        task.latents = latents;
        task.noise = [&](std::span<float> z) { generator.randn(z); };
        task.on_step = [&](int step, std::span<const float>) {
            bar.at(p * steps + step + 1, in->prompts[at]);
            return interrupt_signal() == 0;
        };
        auto made = in->model->sample(task);
        bar.clear();
        if (interrupt_signal() != 0) return interrupt_failure();
        if (!made) return made.error();
        for (const float x : *made)
            if (!std::isfinite(x))
                return failure{errc::invalid_argument,
                               fmt::format("the embedding of {} is not finite: the weights, the "
                                           "conditions or --guidance {} are out of range",
                                           io::quote(in->prompts[at]), options.guidance)};
        if (auto r = shown.prompt(in->prompts[at], *made); !r) return r.error();
        embeds.insert(embeds.end(), made->begin(), made->end());
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (!options.out.empty())
        if (auto r = write_embeddings(options, *in, embeds); !r) return r.error();
    if (!options.png.empty())
        if (auto r = shown.sheet().write(options.png); !r) return r.error();
    shown.summary(spent.count());
    if (!options.out.empty()) fmt::print("embeddings: {}\n", options.out.string());
    if (!options.png.empty()) fmt::print("picture: {}\n", options.png.string());
    return done;
}

} // namespace apriori::program
