// SPDX-License-Identifier: Apache-2.0
#include "model_weights.hpp"

#include "apriori/io/config_json.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_parameters.hpp"
#include "model_folder.hpp"
#include "presets.hpp"

#include <fmt/format.h>

namespace apriori::program {

result<void> subject::open_weights() {
    const auto folder = config_file.parent_path(); // empty for a file in the working directory
    auto opened = io::open_weights(folder.empty() ? "." : folder);
    if (!opened) return opened.error();
    weights.emplace(std::move(*opened));
    return {};
}

std::vector<std::filesystem::path> subject::files() const {
    std::vector<std::filesystem::path> all;
    if (weights) all = weights->files();
    if (!config_file.empty()) all.push_back(config_file);
    for (const io::weighted_lora& l : loras) all.push_back(l.file.path());
    return all;
}

result<subject> find_subject(const catalogue& models, const device_options& on, std::string_view preset_name,
                             const std::filesystem::path& model) {
    if (!preset_name.empty()) {
        const preset* p = find_preset(preset_name);
        const auto entry = models.find(p->config, on, p->name);
        if (!entry) return entry.error();
        return subject{std::string(p->name), *entry};
    }
    const auto file = find_config(model);
    if (!file) return file.error();
    const auto config = io::load_config<PriorConfig>(*file);
    if (!config) return config.error();
    const auto entry = models.find(*config, on, *file);
    if (!entry) return entry.error();
    return subject{model.string(), *entry, *file};
}

namespace {

/// The same for a subject's own weights, or synthetic ones.
template <class Use>
std::invoke_result_t<Use, const any_source&> with_weights_of(const subject& s, const Use& use,
                                                             std::function<void(std::int64_t)> on_read) {
    const auto use_rounded = [&](const any_source& exact) -> std::invoke_result_t<Use, const any_source&> {
        if (!s.calibrate) return use(exact);
        const auto rounded = s.calibrate(exact);
        if (!rounded) return rounded.error();
        return use(any_source(*rounded, on_read));
    };
    const auto exact_read = s.calibrate ? nullptr : on_read; // nothing is packed while it calibrates
    if (s.weights) return with_merged(*s.weights, s.loras, use_rounded, exact_read);
    const io::synthetic_source synthetic(tensor_list(s.entry->config).infos());
    return with_merged(synthetic, s.loras, use_rounded, exact_read);
}

} // namespace

result<std::unique_ptr<any_prior>> load(const subject& s, int threads, std::function<void(std::int64_t)> on_read) {
    return with_weights_of(s, [&](const any_source& from) { return s.entry->load(from, threads); }, std::move(on_read));
}

result<target_weights> load_for(std::string_view target, const subject& s, int threads,
                                std::function<void(std::int64_t)> on_read) {
    const auto pack = [&](const any_source& from) {
        return pack_for(target, s.entry->weights, s.entry->config, from, threads);
    };
    return with_weights_of(s, pack, std::move(on_read));
}

result<io::packed_kind> packed_kind_of(const prior_entry& entry) {
    if (entry.layout == nullptr)
        return failure{errc::unsupported, fmt::format("device {} has no packed files; cpu has", entry.device)};
    return io::packed_kind{config_hash(entry.config), entry.weights, entry.layout(), entry.weight_bytes};
}

result<std::optional<io::packed_file>> open_packed(const std::filesystem::path& path, device_options& on) {
    if (path.empty()) return std::optional<io::packed_file>();
    auto packed = io::packed_file::open(path);
    if (!packed) return packed.error();
    if (on.weights.empty()) on.weights = packed->format();
    return std::optional(std::move(*packed));
}

result<std::unique_ptr<any_prior>> attach(const prior_entry& entry, const io::packed_file& packed, int threads) {
    const auto kind = packed_kind_of(entry);
    if (!kind) return kind.error();
    if (auto fits = packed.check(*kind); !fits) return fits.error();
    return entry.attach(packed.payload().data(), packed.owner(), packed.header().weights_hash, threads);
}

} // namespace apriori::program
