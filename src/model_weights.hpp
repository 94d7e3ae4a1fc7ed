// SPDX-License-Identifier: Apache-2.0
// The model of a command, and the source of its weights: a packed file, a folder, or synthetic ones.
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
    std::string name;                            ///< the preset, or the path as given
    const prior_entry* entry = nullptr;          ///< the compiled entry
    std::filesystem::path config_file{};         ///< empty: a preset
    std::optional<io::weights_source> weights{}; ///< empty: synthetic ones
    std::vector<io::weighted_lora> loras{};      ///< merged when the weights are packed
    /// Rounds the weights, with their LoRAs, before they are packed; empty: they are not rounded.
    std::function<result<nibble_source>(const any_source&)> calibrate{};

    /// Opens the weights next to the file; not_found if there are none.
    result<void> open_weights();
    /// The files that loading reads, which no output may replace.
    std::vector<std::filesystem::path> files() const;
};

/// The preset of that name, or if it is empty the model of a folder or config.json.
result<subject> find_subject(const catalogue& models, const device_options& on, std::string_view preset,
                             const std::filesystem::path& model);

/// The result of use(any_source) for weights of any source, with LoRAs merged into them.
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

/// The model with its weights. on_read gets the total number of values read so far, after each chunk.
result<std::unique_ptr<any_prior>> load(const subject& s, int threads,
                                        std::function<void(std::int64_t values)> on_read = {});

/// The weights packed for another machine, in the entry's format; on_read is as above.
result<target_weights> load_for(std::string_view target, const subject& s, int threads,
                                std::function<void(std::int64_t values)> on_read = {});

/// The kind of packed file that an entry needs; unsupported for devices without packed files.
result<io::packed_kind> packed_kind_of(const prior_entry& entry);

/// The packed file at `path`, if that is not empty. Its weight format becomes that of the options, if they have none.
result<std::optional<io::packed_file>> open_packed(const std::filesystem::path& path, device_options& on);

/// The model of an entry on a packed file's weights; the file stays mapped as long as the model exists.
result<std::unique_ptr<any_prior>> attach(const prior_entry& entry, const io::packed_file& packed, int threads);

} // namespace apriori::program
