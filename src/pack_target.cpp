// SPDX-License-Identifier: Apache-2.0
#include "pack_target.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/packing_arch.hpp"
#include "apriori/models/packed_prior.hpp"
#include "threads.hpp"

#include <utility>

namespace apriori::program {

namespace {

/// An instruction set, and the number of floats that its registers hold.
struct target {
    std::string_view name;
    int lanes;
};
constexpr target targets[] = {{"scalar", 1}, {"sse2", 4}, {"neon", 4}, {"wasm", 4}, {"avx2", 8}, {"avx512", 16}};

template <int Lanes, class Format>
result<target_weights> packed_as(const PriorConfig& config, const any_source& source, int count) {
    using device_type = cpu<packing_arch<Lanes>, threads>;
    using packed_type = packed_prior<device_type, Format>;
    threads on(count);
    device_type device(on);
    auto packed = packed_type::load(device, config, source);
    if (!packed) return packed.error();
    const auto owner = std::make_shared<const packed_type>(std::move(*packed));
    const auto bytes = owner->packed_bytes();
    return target_weights{
        {config_hash(canonical(config)), Format::name, packed_type::packed::layout_name(), bytes.size()},
        owner->hash(),
        bytes,
        owner};
}

template <class Format>
result<target_weights> packed_in(int lanes, const PriorConfig& config, const any_source& source, int count) {
    switch (lanes) {
    case 1:
        return packed_as<1, Format>(config, source, count);
    case 4:
        return packed_as<4, Format>(config, source, count);
    case 8:
        return packed_as<8, Format>(config, source, count);
    default:
        return packed_as<16, Format>(config, source, count);
    }
}

/// Packs in the format of that name.
template <class... Formats>
result<target_weights> packed_in_one_of(std::string_view format, int lanes, const PriorConfig& config,
                                        const any_source& source, int count) {
    result<target_weights> r =
        failure(errc::unsupported, "weights '", format, "' cannot be packed for another machine");
    (void)((format == Formats::name && ((r = packed_in<Formats>(lanes, config, source, count)), true)) || ...);
    return r;
}

} // namespace

std::string known_targets() {
    std::string text;
    for (const target& t : targets) text += (text.empty() ? "" : ", ") + std::string(t.name);
    return text;
}

bool is_target(std::string_view name) {
    for (const target& t : targets)
        if (t.name == name) return true;
    return false;
}

result<target_weights> pack_for(std::string_view name, std::string_view format, const PriorConfig& config,
                                const any_source& source, int threads) {
    for (const target& t : targets)
        if (t.name == name)
            return packed_in_one_of<f32, f16, bf16, bf16a16, w8, w8a8, w4, w4a8>(format, t.lanes, config, source,
                                                                                 threads);
    return failure(errc::invalid_argument, "target '", name, "' is not allowed; allowed: ", known_targets());
}

} // namespace apriori::program
