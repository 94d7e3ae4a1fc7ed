// SPDX-License-Identifier: Apache-2.0
// apriori pack: writes weights as a device holds them, to a file that is mapped; or reads such a file
// whole and compares its checksums.
#include "apriori/models/prior_parameters.hpp"
#include "calibration.hpp"
#include "commands.hpp"
#include "instances.hpp"
#include "interrupt.hpp"
#include "lora_option.hpp"
#include "model_weights.hpp"
#include "output_file.hpp"
#include "plan_text.hpp"
#include "presets.hpp"
#include "progress.hpp"
#include "say.hpp"

#include <fmt/format.h>

namespace apriori::program {

namespace {

constexpr std::int64_t megabyte = 1'000'000;

/// Progress in megabytes; at() returns false once the program is interrupted.
struct megabytes {
    progress bar;
    std::int64_t before = 0; ///< bytes

    bool at(std::int64_t bytes, std::string_view what) {
        bar.at(static_cast<int>((before + bytes) / megabyte), what);
        return interrupt_signal() == 0;
    }
};

int total_of(std::int64_t bytes) { return static_cast<int>(bytes / megabyte); }

/// The text "f32 weights of cpu panels of 16, 4.1 GB".
std::string what_text(const io::packed_file& packed) {
    return fmt::format("{} weights of {}, {}B", packed.format(), packed.layout(),
                       scaled(static_cast<double>(packed.header().payload_bytes)));
}

result<exit_code> verify_packed(const std::filesystem::path& path) {
    const auto packed = io::packed_file::open(path);
    if (!packed) return packed.error();
    megabytes done{progress(total_of(static_cast<std::int64_t>(packed->payload().size())), "MB")};
    const auto same =
        packed->verify([&](std::uint64_t bytes) { return done.at(static_cast<std::int64_t>(bytes), "reading"); });
    done.bar.clear();
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!same) return same.error();
    std::string names;
    for (const preset& p : all_presets)
        if (config_hash(p.config) == packed->header().config_hash)
            names += (names.empty() ? ", configuration " : ", ") + std::string(p.name);
    say(stdout, "{}: {}{}: whole\n", path.string(), what_text(*packed), names);
    return exit_code::done;
}

/// The weights packed for this machine.
result<target_weights> load_here(const subject& s, int threads, std::function<void(std::int64_t)> on_read) {
    const auto kind = packed_kind_of(*s.entry);
    auto model = load(s, threads, std::move(on_read));
    if (!model) return model.error();
    const std::shared_ptr<any_prior> owner = std::move(*model);
    return target_weights{*kind, owner->weights_hash(), owner->packed_bytes(), owner};
}

result<exit_code> write_packed(const pack_options& options) {
    const auto models = catalogue::open(options.on);
    if (!models) return models.error();
    auto what = find_subject(*models, options.on, options.preset, options.model);
    if (!what) return what.error();
    if (options.preset.empty())
        if (auto r = what->open_weights(); !r) return r.error();
    auto loras = open_loras(options.loras);
    if (!loras) return loras.error();
    what->loras = std::move(*loras);
    const prior_entry& entry = *what->entry;
    if (const auto kind = packed_kind_of(entry); !kind) return kind.error();
    auto inputs = what->files();
    for (const auto& file : {options.calibrate, options.conditions})
        if (!file.empty()) inputs.push_back(file);
    if (!options.model.empty())
        for (const auto& file : inputs_of(options.model)) inputs.push_back(file);
    if (auto r = check_outputs({{"--out", options.out}}, inputs); !r) return r.error();
    if (options.calibrates()) {
        auto calibrate = open_calibration(options);
        if (!calibrate) return calibrate.error();
        what->calibrate = std::move(*calibrate);
    }

    const std::int64_t read = 4 * parameter_count(entry.config);
    megabytes done{progress(total_of(read + static_cast<std::int64_t>(entry.weight_bytes)), "MB")};
    const auto on_read = [&](std::int64_t values) { done.at(4 * values, "packing"); };
    const auto packed_weights = options.target.empty() ? load_here(*what, options.on.threads, on_read)
                                                       : load_for(options.target, *what, options.on.threads, on_read);
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!packed_weights)
        return failure{packed_weights.error().code, what->name + ": " + packed_weights.error().message};
    done.before = read;
    const auto written = io::write_packed_file(
        packed_weights->kind, packed_weights->hash, packed_weights->bytes, options.out,
        [&](std::uint64_t bytes) { return done.at(static_cast<std::int64_t>(bytes), "writing"); });
    done.bar.clear();
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!written) return written.error();
    const auto packed = io::packed_file::open(options.out);
    if (!packed) return packed.error();
    say(stdout, "{}: {}\n", options.out.string(), what_text(*packed));
    return exit_code::done;
}

} // namespace

result<exit_code> run_pack(const pack_options& options) {
    return options.verify.empty() ? write_packed(options) : verify_packed(options.verify);
}

} // namespace apriori::program
