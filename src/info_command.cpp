// SPDX-License-Identifier: Apache-2.0
// apriori info: what a model costs and how it is fused, or what is compiled in.
#include "apriori/core/version.hpp"
#include "apriori/io/config_json.hpp"
#include "apriori/models/prior_parameters.hpp"
#include "commands.hpp"
#include "instances.hpp"
#include "model_folder.hpp"
#include "plan_text.hpp"
#include "presets.hpp"

#include <fmt/format.h>

namespace apriori::program {

namespace {

void print_compiled() {
    fmt::print("apriori {}\ndevices: {}\nconfigurations:\n", version::string, compiled_devices());
    std::string_view device;
    for (const prior_entry& e : instances()) {
        if (device.empty()) device = e.device;
        if (e.device != device) continue;
        const std::string presets = presets_of(e.config);
        fmt::print("  {:<16} {:>13} parameters{}\n", e.name, grouped(parameter_count(e.config)),
                   presets.empty() ? "" : "  preset " + presets);
    }
    std::string others;
    for (const preset& p : all_presets) {
        bool there = false;
        for (const prior_entry& e : instances()) there = there || e.config == canonical(p.config);
        if (!there) others += (others.empty() ? "" : ", ") + std::string(p.name);
    }
    if (!others.empty()) fmt::print("presets that are not compiled in: {}\n", others);
}

/// The configuration that `info` is asked about, and its entry.
struct subject {
    std::string title;
    PriorConfig config;
    const prior_entry* entry = nullptr;
};

result<subject> find_subject(const info_options& options) {
    if (const preset* p = find_preset(options.model)) {
        auto entry = find_instance(p->config, options.device, p->name);
        if (!entry) return entry.error();
        return subject{"preset " + presets_of(p->config), canonical(p->config), *entry};
    }
    const auto file = find_config(options.model);
    if (!file) {
        std::string names;
        for (const preset& p : all_presets) names += (names.empty() ? "" : ", ") + std::string(p.name);
        return failure{file.error().code, file.error().message + "; the presets are " + names};
    }
    auto config = io::load_prior_config(*file);
    if (!config) return config.error();
    auto entry = find_instance(*config, options.device, *file);
    if (!entry) return entry.error();
    return subject{file->string(), canonical(*config), *entry};
}

} // namespace

result<exit_code> run_info(const info_options& options) {
    if (auto known = check_device(options.device); !known) return known.error();
    if (options.model.empty()) {
        print_compiled();
        return done;
    }
    const auto found = find_subject(options);
    if (!found) return found.error();
    const forward_plan plan = found->entry->plan(options.rows);
    double flops = 0, bytes = 0;
    for (const launch& l : plan.launches) {
        flops += static_cast<double>(l.flops);
        bytes += static_cast<double>(l.bytes);
    }
    const PriorConfig& c = found->config;
    fmt::print("{}\n"
               "  {} heads x {}, {} layers, {} tokens, embedding {}\n"
               "  parameters  {}\n"
               "  weights     {}B packed for {}\n"
               "  forward     {}FLOP, {}B read and written, {} launches; rows: {}\n"
               "  workspace   {} bytes\n\n",
               found->title, c.num_attention_heads, c.attention_head_dim, c.num_layers, plan.tokens, c.embedding_dim,
               grouped(parameter_count(c)), scaled(static_cast<double>(found->entry->weight_bytes)),
               found->entry->device, scaled(flops), scaled(bytes), plan.launches.size(), options.rows,
               grouped(static_cast<std::int64_t>(plan.workspace_bytes)));
    fmt::print("{}", plan_text(plan.launches));
    return done;
}

} // namespace apriori::program
