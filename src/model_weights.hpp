// SPDX-License-Identifier: Apache-2.0
// Which model a command is about, and where its weights come from: a packed file, a folder, or synthetic ones.
#pragma once

#include "apriori/io/lora_source.hpp"
#include "apriori/io/packed_file.hpp"
#include "apriori/io/safetensors.hpp"
#include "instances.hpp"
#include "pack_target.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace apriori::program {

/// A preset, or the configuration of a file.
struct subject {
    std::string name;                            ///< the preset, or the path as it was given
    const prior_entry* entry = nullptr;          ///< compiled in
    std::filesystem::path config_file{};         ///< empty: a preset
    std::optional<io::weights_source> weights{}; ///< none: synthetic ones
    std::vector<io::weighted_lora> loras{};      ///< merged when the weights are packed
    /// Rounds the weights, with their LoRAs, before they are packed; none: they are packed as they are.
    std::function<result<nibble_source>(const any_source&)> calibrate{};

    /// Opens the weights beside the file; not_found where there are none.
    result<void> open_weights();
    /// The files that loading reads, which no output must replace.
    std::vector<std::filesystem::path> files() const;
};

/// The preset of that name, or where it is empty the model of a folder or config.json.
result<subject> find_subject(const catalogue& models, const device_options& on, std::string_view preset,
                             const std::filesystem::path& model);

/// What use(any_source) gives for weights of any source, and LoRAs merged into them.
template <tensor_source Source, class Use>
std::invoke_result_t<Use, const any_source&> with_merged(const Source& source,
                                                         const std::vector<io::weighted_lora>& loras, const Use& use,
                                                         std::function<void(std::int64_t values)> on_read = {}) {
    if (loras.empty()) return use(any_source(source, std::move(on_read)));
    const auto merged = io::lora_source<Source>::make(source, loras);
    if (!merged) return merged.error();
    return use(any_source(*merged, std::move(on_read)));
}
/// A model of an entry with such weights.
template <tensor_source Source>
result<std::unique_ptr<any_prior>> load_merged(const prior_entry& entry, const Source& source,
                                               const std::vector<io::weighted_lora>& loras, int threads) {
    return with_merged(source, loras, [&](const any_source& s) { return entry.load(s, threads); });
}

/// The model with its weights. on_read is told how many values have been read in all, after each chunk.
result<std::unique_ptr<any_prior>> load(const subject& s, int threads,
                                        std::function<void(std::int64_t values)> on_read = {});

/// The weights packed for another machine, in the entry's format; on_read is as above.
result<target_weights> load_for(std::string_view target, const subject& s, int threads,
                                std::function<void(std::int64_t values)> on_read = {});

/// What a packed file must be to be an entry's; unsupported for devices without packed files.
result<io::packed_kind> packed_kind_of(const prior_entry& entry);

/// The packed file at `path`, if that is not empty; the options' weight format becomes the file's, where they name none.
result<std::optional<io::packed_file>> open_packed(const std::filesystem::path& path, device_options& on);

/// The model of an entry on a packed file's weights; the file stays mapped as long as the model is there.
result<std::unique_ptr<any_prior>> attach(const prior_entry& entry, const io::packed_file& packed, int threads);

} // namespace apriori::program
