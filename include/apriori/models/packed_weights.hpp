// SPDX-License-Identifier: Apache-2.0
// A model's weights in the memory of a device: one block, its layout a constant of the type, filled from any tensor source.
#pragma once

#include "apriori/core/check_tensors.hpp"
#include "apriori/core/content_hash.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/models/packed_operands.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace apriori {

/// Weights of a model on a device, shared between the models that use them.
template <class Model, class Device, class Format>
class packed_weights {
public:
    using packed = typename Device::template packed<Format>;
    using operands_type = packed_operands<Model, packed>;
    using slot = typename Model::slot_type;
    using parameter_type = parameter<slot>;

    /// Reads, checks, packs and uploads all tensors of `source`. Beside the packed weights it needs room for about one
    /// stretch of rows. Fails with the names of all missing, unexpected and misshapen tensors.
    template <tensor_source Source>
    static result<std::shared_ptr<const packed_weights>> load(Device& device, const Source& source) {
        const tensor_list expected(Model::config);
        if (auto checked = check_tensors(source, expected.infos()); !checked) return checked.error();

        std::vector<std::pair<std::string_view, std::size_t>> found;
        for (std::size_t i = 0; i < source.size(); ++i) found.emplace_back(source.info(i).name, i);
        std::sort(found.begin(), found.end());

        auto storage = std::make_shared<typename Device::buffer>(device.allocate(operands_type::layout.bytes));
        if (storage->empty())
            return failure{errc::device_error,
                           "no memory for the weights: " + std::to_string(operands_type::layout.bytes) +
                               " bytes on device " + Device::name};
        std::byte* base = storage->data();
        auto weights = std::make_shared<packed_weights>();
        weights->base_ = base;
        weights->owner_ = std::move(storage);
        weights->hash_ =
            content_hash(std::as_bytes(std::span(Format::name, std::strlen(Format::name))), config_hash(Model::config));
        std::vector<float> rows(buffer_alignment / sizeof(float), 0.0f);
        if (const status s = clear_gaps(device, base, rows); !s.ok()) return to_failure(s);
        for (const parameter_type& p : Model::parameters)
            for (int layer = 0; layer < Model::parameters.layers_of(p); ++layer) {
                const std::string name = parameter_name(p, layer);
                const auto at =
                    std::lower_bound(found.begin(), found.end(), std::pair{std::string_view(name), std::size_t{0}});
                if (const status s = store(device, source, at->second, p,
                                           base + operands_type::layout.offset(p.where, layer), rows, weights->hash_);
                    !s.ok()) {
                    failure f = to_failure(s);
                    f.message = "tensor " + name + ": " + f.message;
                    return f;
                }
            }
        if constexpr (Model::parameters.constant_count > 0)
            for (int c = 0; c < Model::parameters.constant_count; ++c) {
                const auto at = Model::parameters.constants[static_cast<std::size_t>(c)];
                rows.resize(static_cast<std::size_t>(at.n));
                for (index_t i = 0; i < at.n; ++i)
                    rows[static_cast<std::size_t>(i)] = constant_of(Model::config, at.where, i);
                if (const status s = device.upload(base + operands_type::layout.offset(at.where), rows.data(),
                                                   rows.size() * sizeof(float));
                    !s.ok())
                    return to_failure(s);
            }
        return std::shared_ptr<const packed_weights>(std::move(weights));
    }

    /// Weights that lie packed at `memory` already, as another model's packed_bytes() have them; `owner` keeps them there.
    static std::shared_ptr<const packed_weights> attach(const std::byte* memory, std::shared_ptr<const void> owner,
                                                        std::uint64_t hash) {
        auto weights = std::make_shared<packed_weights>();
        weights->base_ = memory;
        weights->owner_ = std::move(owner);
        weights->hash_ = hash;
        return weights;
    }

    /// The packed weights, in the device's memory.
    std::span<const std::byte> packed_bytes() const noexcept { return {base_, bytes()}; }
    /// Of the configuration, the format and every weight: equal for equal models, and what conditions are checked by.
    std::uint64_t hash() const noexcept { return hash_; }
    operands_type operands() const noexcept { return {const_cast<std::byte*>(base_)}; }
    static constexpr std::size_t bytes() noexcept { return operands_type::layout.bytes; }

private:
    /// Zeros where a slot may end in padding, so that equal weights are equal bytes.
    static status clear_gaps(Device& device, std::byte* base, const std::vector<float>& zeros) {
        for (std::size_t i = 0; i < operands_type::layout.slots; ++i) {
            const auto place = operands_type::layout.places[i];
            const auto s = static_cast<slot>(i);
            const bool filled = place.used && place.n > 0; // the narrowest model has no frequencies
            for (int layer = 0; filled && layer < (s >= slot::block ? Model::parameters.layers : 1); ++layer) {
                const std::size_t end =
                    operands_type::layout.offset(s, layer) + operands_type::layout.stored_bytes(place);
                if (const status r = device.upload(base + end - buffer_alignment, zeros.data(), buffer_alignment);
                    !r.ok())
                    return r;
            }
        }
        return {};
    }

    template <class Source>
    static status store(Device& device, const Source& source, std::size_t tensor, const parameter_type& p,
                        std::byte* to, std::vector<float>& rows, std::uint64_t& hash) {
        constexpr index_t stretch = index_t{1} << 20;
        const index_t width = p.width();
        const index_t count = p.packed ? p.dims[0] : p.size();
        const auto place = operands_type::place_of(p.where);
        const index_t step = std::max<index_t>(1, stretch / width);
        for (index_t first = 0; first < count; first += step) {
            const index_t n = std::min(step, count - first);
            rows.resize(static_cast<std::size_t>(n * width));
            if (const status s = source.read(tensor, first * width, std::span<float>(rows)); !s.ok()) return s;
            hash = content_hash(std::as_bytes(std::span<const float>(rows)), hash);
            if (p.scale != 1.0f)
                for (float& v : rows) v *= p.scale;
            const status s =
                p.packed ? device.pack(packed(to, place.n, place.k), p.row + first, std::span<const float>(rows))
                         : device.upload(to + static_cast<std::size_t>(p.row + first) * sizeof(float), rows.data(),
                                         rows.size() * sizeof(float));
            if (!s.ok()) return s;
        }
        return {};
    }

    const std::byte* base_ = nullptr;
    std::shared_ptr<const void> owner_{};
    std::uint64_t hash_ = 0;
};

} // namespace apriori
