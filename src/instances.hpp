// SPDX-License-Identifier: Apache-2.0
// What is compiled in: configurations compared by meaning, and how to add others.
#pragma once

#include "any_prior.hpp"
#include "commands.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace apriori::program {

/// The devices, instruction sets (of cpu, the oldest first) and weight formats (of cpu) of this build, as "cpu, eigen".
std::string compiled_devices();
std::string compiled_archs();
std::string compiled_weights();
/// All existing weight formats and instruction sets, as "f32, f16, ...".
std::string known_weights();
std::string known_archs();

/// The models of this build for one instruction set.
class catalogue {
public:
    /// For the options' instruction set, or the newest that this machine runs. An error, which says what is
    /// available and what to do, if the instruction set, the device or the weight format is not compiled in, or the
    /// machine lacks the instructions.
    static result<catalogue> open(const device_options& on);

    const std::vector<prior_entry>& entries() const noexcept { return entries_; }
    /// The instruction set of the cpu's entries; empty if that device is not compiled in.
    std::string_view arch() const noexcept { return arch_; }
    /// The instruction set of a device's entries; empty for devices with a single build.
    std::string_view arch_of(std::string_view device) const noexcept { return device == "cpu" ? arch_ : ""; }

    /// The entry for the configuration of a file. If there is none, unsupported, with the command that adds the file.
    result<const prior_entry*> find(const PriorConfig& config, const device_options& on,
                                    const std::filesystem::path& file) const;
    /// The entry for a preset; the same error.
    result<const prior_entry*> find(const PriorConfig& config, const device_options& on, std::string_view preset) const;

    /// The encoders of this build, and the entry for the configuration of a file; the same error.
    const std::vector<text_encoder_entry>& text_encoders() const noexcept { return text_encoders_; }
    const std::vector<image_encoder_entry>& image_encoders() const noexcept { return image_encoders_; }
    result<const text_encoder_entry*> find(const CLIPTextConfig& config, const device_options& on,
                                           const std::filesystem::path& file) const;
    result<const image_encoder_entry*> find(const CLIPVisionConfig& config, const device_options& on,
                                            const std::filesystem::path& file) const;

private:
    void add(const entry_list& unit);
    const prior_entry* look_up(const PriorConfig& config, const device_options& on) const;

    std::vector<prior_entry> entries_;
    std::vector<text_encoder_entry> text_encoders_;
    std::vector<image_encoder_entry> image_encoders_;
    std::string_view arch_;
};

} // namespace apriori::program
