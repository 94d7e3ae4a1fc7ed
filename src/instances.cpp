// SPDX-License-Identifier: Apache-2.0
// The one file that knows all instances: CMake writes instances.inc, a line for each, and build_info.hpp.
#include "instances.hpp"

#include "apriori/io/text.hpp"
#include "build_info.hpp"

#include <fmt/format.h>

namespace apriori::program {

#define APRIORI_INSTANCE(config, device) prior_entry entry_##config##_##device();
#include "instances.inc"
#undef APRIORI_INSTANCE

std::span<const prior_entry> instances() {
    static const prior_entry entries[] = {
#define APRIORI_INSTANCE(config, device) entry_##config##_##device(),
#include "instances.inc"
#undef APRIORI_INSTANCE
    };
    return entries;
}

std::string compiled_devices() {
    std::string list;
    for (const prior_entry& e : instances())
        if (list.find(e.device) == std::string::npos) list += (list.empty() ? "" : ", ") + std::string(e.device);
    return list;
}

namespace {

/// The commands that configure this build again with one more option, and build it.
std::string rebuild(const std::string& option) {
    return fmt::format("cmake -S \"{}\" -B \"{}\" {} && cmake --build \"{}\" --target {}", build_info::source_dir,
                       build_info::binary_dir, option, build_info::binary_dir, build_info::target);
}

const prior_entry* look_up(const PriorConfig& config, std::string_view device) {
    for (const prior_entry& e : instances())
        if (e.device == device && e.config == canonical(config)) return &e;
    return nullptr;
}

std::string joined(std::string_view list, const std::string& more) {
    return list.empty() ? more : std::string(list) + ';' + more;
}

} // namespace

result<void> check_device(std::string_view device) {
    for (const prior_entry& e : instances())
        if (e.device == device) return {};
    const std::string option = fmt::format("{}\"-DAPRIORI_DEVICES={}\"", device == "cuda" ? "-DAPRIORI_CUDA=ON " : "",
                                           joined(build_info::devices, std::string(device)));
    return failure{errc::unsupported,
                   fmt::format("device {} is not compiled into this program, which has {}; add it: {}", device,
                               compiled_devices(), rebuild(option))};
}

result<const prior_entry*> find_instance(const PriorConfig& config, std::string_view device,
                                         const std::filesystem::path& file) {
    if (const prior_entry* e = look_up(config, device)) return e;
    std::error_code error;
    const auto path = std::filesystem::absolute(file, error).lexically_normal();
    return failure{
        errc::unsupported,
        fmt::format("{}: this configuration is not compiled into this program; add it: {}", file.string(),
                    rebuild(fmt::format("\"-DAPRIORI_CONFIGS={}\"", joined(build_info::configs, path.string()))))};
}

result<const prior_entry*> find_instance(const PriorConfig& config, std::string_view device, std::string_view preset) {
    if (const prior_entry* e = look_up(config, device)) return e;
    return failure{errc::unsupported,
                   fmt::format("preset {} is not compiled into this program; add it: {}", preset,
                               rebuild(fmt::format("\"-DAPRIORI_PRESETS={}\"",
                                                   joined(build_info::presets, std::string(preset)))))};
}

} // namespace apriori::program
