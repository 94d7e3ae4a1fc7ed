// SPDX-License-Identifier: Apache-2.0
// The only file that knows all instances: CMake writes instances.inc, a line for each unit, and build_info.hpp.
#include "instances.hpp"

#include "apriori/core/arch_choice.hpp"
#include "apriori/io/foreign_file.hpp"
#include "build_info.hpp"

#include <fmt/format.h>

#define APRIORI_CLOSED_UNIT(entry) std::span<const apriori::arch_entry> entry##_archs();
#define APRIORI_UNIT(entry) extern "C" const void* entry();
#include "instances.inc"
#undef APRIORI_CLOSED_UNIT
#undef APRIORI_UNIT

namespace apriori::program {

namespace {

/// The units with one build for each instruction set, and below the others.
constexpr std::span<const arch_entry> (*closed_units[])() = {
    nullptr,
#define APRIORI_CLOSED_UNIT(entry) &entry##_archs,
#define APRIORI_UNIT(entry)
#include "instances.inc"
#undef APRIORI_CLOSED_UNIT
#undef APRIORI_UNIT
};
constexpr const void* (*other_units[])() = {
    nullptr,
#define APRIORI_CLOSED_UNIT(entry)
#define APRIORI_UNIT(entry) &entry,
#include "instances.inc"
#undef APRIORI_CLOSED_UNIT
#undef APRIORI_UNIT
};

/// A CMake list with commas.
std::string comma_list(std::string_view list) {
    std::string text;
    for (const char c : list) text += c == ';' ? std::string(", ") : std::string(1, c);
    return text;
}
bool holds(std::string_view list, std::string_view name) {
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find(';', at), list.size());
        if (list.substr(at, end - at) == name) return true;
        at = end + 1;
    }
    return false;
}
std::string joined(std::string_view list, std::string_view more) {
    return list.empty() ? std::string(more) : std::string(list) + ';' + std::string(more);
}

/// A CMake option, as a word of a command line.
std::string setting(std::string_view name, std::string_view value) {
    return io::shell_quoted(std::string_view(fmt::format("-DAPRIORI_{}={}", name, value)));
}

/// The commands that configure this build again with one more option, and build it.
std::string rebuild(const std::string& option) {
    const std::string source = io::shell_quoted(std::string_view(build_info::source_dir)),
                      binary = io::shell_quoted(std::string_view(build_info::binary_dir));
    return fmt::format("cmake -S {} -B {} {} && cmake --build {} --target {}", source, binary, option, binary,
                       build_info::target);
}

/// The failure "WHAT is not compiled into this program, which has THESE; add it: ...".
failure not_compiled(const std::string& what, std::string_view have, const std::string& option) {
    return {errc::unsupported, fmt::format("{} is not compiled into this program, which has {}; add it: {}", what,
                                           comma_list(have), rebuild(option))};
}

/// The weight formats that a device has kernels for.
std::string_view formats_of(std::string_view device) {
    if (device == "cpu") return build_info::known_weights;
    return device == "cuda" ? "f32;f16;bf16;bf16a16;w8;w4" : "f32";
}

result<void> check(const device_options& on) {
    if (!holds(build_info::devices, on.device))
        return not_compiled("device " + on.device, build_info::devices,
                            fmt::format("{}{}", on.device == "cuda" ? "-DAPRIORI_CUDA=ON " : "",
                                        setting("DEVICES", joined(build_info::devices, on.device))));
    const std::string_view formats = formats_of(on.device);
    if (!holds(formats, on.weights_or_default()))
        return failure{errc::unsupported, fmt::format("--weights {}: device {} has {}; cpu has {}", on.weights,
                                                      on.device, comma_list(formats), compiled_weights())};
    if (on.device != "cpu" && !on.arch.empty())
        return failure{errc::unsupported,
                       fmt::format("--arch {}: device {} has one build; leave --arch away", on.arch, on.device)};
    if (on.device == "eigen") return {};
    if (!holds(build_info::weights, on.weights_or_default()))
        return not_compiled("weight format " + on.weights_or_default(), build_info::weights,
                            setting("WEIGHTS", joined(build_info::weights, on.weights_or_default())));
    if (!on.arch.empty() && !holds(build_info::archs, on.arch) && holds(build_info::known_archs, on.arch))
        return not_compiled("instruction set " + on.arch, build_info::archs,
                            setting("ARCHS", std::string_view(build_info::archs) == "native"
                                                 ? on.arch
                                                 : joined(build_info::archs, on.arch)));
    return {};
}

/// The failure "FILE: this configuration is not compiled into this program; add it: ...".
failure config_not_compiled(const std::filesystem::path& file) {
    std::error_code error;
    const auto path = std::filesystem::absolute(file, error).lexically_normal();
    return {errc::unsupported,
            fmt::format("{}: this configuration is not compiled into this program; add it: {}", file.string(),
                        rebuild(setting("CONFIGS", joined(build_info::configs, path.string()))))};
}

template <class Entry, class Config>
result<const Entry*> find_encoder(const std::vector<Entry>& entries, const Config& config, const device_options& on,
                                  const std::filesystem::path& file) {
    for (const Entry& e : entries)
        if (e.device == on.device && meaning_of(e.config) == meaning_of(config, e.config)) return &e;
    return config_not_compiled(file);
}

} // namespace

std::string compiled_devices() { return comma_list(build_info::devices); }
std::string compiled_archs() { return comma_list(build_info::archs); }
std::string compiled_weights() { return comma_list(build_info::weights); }
std::string known_weights() { return comma_list(build_info::known_weights); }
std::string known_archs() { return comma_list(build_info::known_archs); }

result<catalogue> catalogue::open(const device_options& on) {
    if (auto r = check(on); !r) return r.error();
    catalogue c;
    for (const auto unit : closed_units) {
        if (unit == nullptr) continue;
        const auto build = choose_arch(unit(), on.device == "cpu" ? std::string_view(on.arch) : std::string_view());
        if (!build) {
            // other devices need none of these
            if (on.device != "cpu") continue;
            const std::string what = on.arch.empty() ? "" : "--arch " + on.arch + ": ";
            return failure{build.error().code, what + build.error().message};
        }
        c.arch_ = (*build)->name;
        c.add(*static_cast<const entry_list*>((*build)->entry()));
    }
    for (const auto unit : other_units)
        if (unit != nullptr) c.add(*static_cast<const entry_list*>(unit()));
    return c;
}

void catalogue::add(const entry_list& unit) {
    entries_.insert(entries_.end(), unit.priors.begin(), unit.priors.end());
    text_encoders_.insert(text_encoders_.end(), unit.text_encoders.begin(), unit.text_encoders.end());
    image_encoders_.insert(image_encoders_.end(), unit.image_encoders.begin(), unit.image_encoders.end());
}

const prior_entry* catalogue::look_up(const PriorConfig& config, const device_options& on) const {
    for (const prior_entry& e : entries_)
        if (e.device == on.device && e.weights == on.weights_or_default() && e.config == canonical(config)) return &e;
    return nullptr;
}

result<const prior_entry*> catalogue::find(const PriorConfig& config, const device_options& on,
                                           const std::filesystem::path& file) const {
    if (const prior_entry* e = look_up(config, on)) return e;
    return config_not_compiled(file);
}

result<const prior_entry*> catalogue::find(const PriorConfig& config, const device_options& on,
                                           std::string_view preset) const {
    if (const prior_entry* e = look_up(config, on)) return e;
    return failure{errc::unsupported, fmt::format("preset {} is not compiled into this program; add it: {}", preset,
                                                  rebuild(setting("PRESETS", joined(build_info::presets, preset))))};
}

result<const text_encoder_entry*> catalogue::find(const CLIPTextConfig& config, const device_options& on,
                                                  const std::filesystem::path& file) const {
    return find_encoder(text_encoders_, config, on, file);
}

result<const image_encoder_entry*> catalogue::find(const CLIPVisionConfig& config, const device_options& on,
                                                   const std::filesystem::path& file) const {
    return find_encoder(image_encoders_, config, on, file);
}

} // namespace apriori::program
