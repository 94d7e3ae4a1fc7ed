// SPDX-License-Identifier: Apache-2.0
// apriori info: what a model costs and how it is fused, or what is compiled in.
#include "apriori/core/version.hpp"
#include "apriori/models/prior_parameters.hpp"
#include "commands.hpp"
#include "model_folder.hpp"
#include "model_weights.hpp"
#include "plan_text.hpp"
#include "presets.hpp"
#include "say.hpp"

#include <fmt/format.h>

namespace apriori::program {

namespace {

void print_compiled(const catalogue& models) {
    say(stdout,
        "apriori {}\ndevices: {}\ninstruction sets of cpu: {}; here: {}\nweight formats of cpu: {}\nconfigurations:\n",
        version::string, compiled_devices(), compiled_archs(), models.arch(), compiled_weights());
    for (const prior_entry& e : models.entries()) {
        const prior_entry& first = models.entries().front();
        if (e.device != first.device || e.weights != first.weights) continue;
        const std::string presets = presets_of(e.config);
        say(stdout, "  {:<16} {:>13} parameters{}\n", e.name, grouped(parameter_count(e.config)),
            presets.empty() ? "" : "  preset " + presets);
    }
    const auto names_of = [](const auto& encoders) {
        std::string names;
        for (const auto& e : encoders)
            if (e.device == encoders.front().device) names += (names.empty() ? "" : ", ") + std::string(e.name);
        return names.empty() ? std::string("none") : names;
    };
    say(stdout, "text encoders: {}\nimage encoders: {}\n", names_of(models.text_encoders()),
        names_of(models.image_encoders()));
    std::string others;
    for (const preset& p : all_presets) {
        bool there = false;
        for (const prior_entry& e : models.entries()) there = there || e.config == canonical(p.config);
        if (!there) others += (others.empty() ? "" : ", ") + std::string(p.name);
    }
    if (!others.empty()) say(stdout, "presets that are not compiled in: {}\n", others);
}

/// The subject of `info`: a preset needs no option here.
result<subject> find_subject(const catalogue& models, const info_options& options) {
    const bool is_preset = find_preset(options.model) != nullptr;
    auto found = find_subject(models, options.on, is_preset ? options.model : std::string(), options.model);
    if (found || is_preset || find_config(options.model)) return found;
    std::string names;
    for (const preset& p : all_presets) names += (names.empty() ? "" : ", ") + std::string(p.name);
    return failure{found.error().code, found.error().message + "; the presets are " + names};
}

} // namespace

result<exit_code> run_info(const info_options& options) {
    const auto models = catalogue::open(options.on);
    if (!models) return models.error();
    if (options.model.empty()) {
        print_compiled(*models);
        return done;
    }
    const auto found = find_subject(*models, options);
    if (!found) return found.error();
    const forward_plan plan = found->entry->plan(options.rows);
    double flops = 0, bytes = 0;
    for (const launch& l : plan.launches) {
        flops += static_cast<double>(l.flops);
        bytes += static_cast<double>(l.bytes);
    }
    const PriorConfig& c = found->entry->config;
    const std::string title = found->config_file.empty() ? "preset " + presets_of(c) : found->config_file.string();
    const auto name = models->arch_of(found->entry->device);
    const std::string arch = name.empty() ? "" : fmt::format(" ({})", name);
    say(stdout,
        "{}\n"
        "  {} heads x {}, {} layers, {} tokens, embedding {}\n"
        "  parameters  {}\n"
        "  weights     {}B of {} packed for {}{}\n"
        "  forward     {}FLOP, {}B read and written, {} launches; rows: {}\n"
        "  workspace   {} bytes\n\n",
        title, c.num_attention_heads, c.attention_head_dim, c.num_layers, plan.tokens, c.embedding_dim,
        grouped(parameter_count(c)), scaled(static_cast<double>(found->entry->weight_bytes)), found->entry->weights,
        found->entry->device, arch, scaled(flops), scaled(bytes), plan.launches.size(), options.rows,
        grouped(static_cast<std::int64_t>(plan.workspace_bytes)));
    say(stdout, "{}", plan_text(plan.launches));
    return done;
}

} // namespace apriori::program
