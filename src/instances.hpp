// SPDX-License-Identifier: Apache-2.0
// What is compiled in: configurations by their meaning, and what to do about those that are not.
#pragma once

#include "any_prior.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace apriori::program {

/// Every configuration on every device of this build.
std::span<const prior_entry> instances();

/// The devices of this build, "cpu, eigen".
std::string compiled_devices();

/// The device of --device, checked: unsupported, with what to do, where it is not compiled in.
result<void> check_device(std::string_view device);

/// The entry for the configuration of a file. unsupported, with the command that adds the file, where there is none.
result<const prior_entry*> find_instance(const PriorConfig& config, std::string_view device,
                                         const std::filesystem::path& file);

/// The entry for a preset; the error is as above.
result<const prior_entry*> find_instance(const PriorConfig& config, std::string_view device, std::string_view preset);

} // namespace apriori::program
