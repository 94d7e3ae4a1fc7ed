// SPDX-License-Identifier: Apache-2.0
// The packed weights of a prior whose configuration is known only at run time: for programs that
// pack models and do not run them.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/models/packed_weights.hpp"
#include "apriori/models/prior_layers.hpp"

#include <cstdint>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The same bytes that PriorTransformer<Config, Device, Format>::weights::load packs, for any configuration.
template <class Device, class Format>
class packed_prior : public detail::weight_memory<Device, Format> {
    using memory = detail::weight_memory<Device, Format>;

public:
    using typename memory::packed;

    /// `config` must be one that PriorTransformer supports. The errors are those of packed_weights::load.
    static result<packed_prior> load(Device& device, const PriorConfig& config, tensor_source_ref source) {
        const PriorConfig canon = canonical(config);
        const parameter_table parameters = parameters_of(canon);
        const packed_layout layout = packed_layout::of<packed>(parameters);
        packed_prior made;
        made.bytes_ = layout.bytes;
        const auto constant = [](std::string_view slot, index_t i, index_t n) {
            return constant_of(PriorConfig{}, slot, i, n);
        };
        if (auto r = made.memory::load(device, {parameters, layout, config_hash(canon), constant}, source); !r)
            return r.error();
        return made;
    }

    std::span<const std::byte> packed_bytes() const noexcept { return {this->base_, bytes_}; }

private:
    packed_prior() = default;

    std::size_t bytes_ = 0;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
