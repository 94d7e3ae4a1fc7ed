// SPDX-License-Identifier: Apache-2.0
// A model's weights in the memory of a device: one block, its layout a constant of the type, filled from any tensor source.
#pragma once

#include "apriori/core/check_tensors.hpp"
#include "apriori/core/content_hash.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/models/packed_operands.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Weights of a model on a device, shared between the models that use them.
template <class Model, class Device, class Format>
class packed_weights {
public:
    static_assert(
        requires { typename Device::template packed<Format>; },
        "apriori: this device does not have this format of weights; the template arguments of packed_weights name "
        "both");
    using packed = typename Device::template packed<Format>;
    using operands_type = packed_operands<Model, packed>;

    /// Reads, checks, packs and uploads all tensors of `source`. Beside the packed weights it needs room for about one
    /// stretch of rows. Fails with the names of all missing, unexpected and misshapen tensors.
    template <tensor_source Source>
    static result<std::shared_ptr<const packed_weights>> load(Device& device, const Source& source) {
        const auto found = find_tensors(infos_of(source), tensor_list(Model::parameters).infos());
        if (!found) return found.error();
        std::byte* to = nullptr;
        auto weights = allocate(device, to);
        if (!weights) return weights.error();
        if (const status s = clear_gaps(device, to); !s) return to_failure(s);
        (*weights)->hashes_.resize(found->size());
        if (auto r = (*weights)->store_tensors(device, source, *found, to, [](const std::string&) { return true; }); !r)
            return r.error();
        if (const status s = store_constants(device, to); !s) return to_failure(s);
        return std::shared_ptr<const packed_weights>(std::move(*weights));
    }

    /// A copy of these weights with the tensors of `names` packed anew from `source`, which has all tensors of the model: byte
    /// for byte and by its hash what load() makes of a source that differs from theirs in these alone, without the others
    /// being read. So a LoRA is merged by the names that it touches and a source that adds it (io/lora_source.hpp), and taken
    /// out by the same names and the plain source. Models that share these weights keep them as they are; as long as both are
    /// there they take twice the memory. Fails as load() does, with not_found for names that the model does not have, and
    /// with unsupported for attached weights, whose tensors' hashes are not known.
    result<std::shared_ptr<const packed_weights>> repack(Device& device, const tensor_source auto& source,
                                                         std::span<const std::string> names) const {
        const auto found = find_tensors(infos_of(source), tensor_list(Model::parameters).infos());
        if (!found) return found.error();
        if (hashes_.empty())
            return failure{
                errc::unsupported,
                "weights that were attached packed cannot be packed anew in part; load them from their source"};
        std::vector<std::string_view> wanted(names.begin(), names.end());
        std::sort(wanted.begin(), wanted.end());
        wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
        std::size_t known = 0;
        for (std::size_t i = 0; i < source.size(); ++i)
            if (std::binary_search(wanted.begin(), wanted.end(), source.info(i).name)) ++known;
        if (known != wanted.size()) return unknown_names(source, wanted);

        std::byte* to = nullptr;
        auto weights = allocate(device, to);
        if (!weights) return weights.error();
        if (const status s = copy(device, base_, to); !s) return to_failure(s);
        (*weights)->hashes_ = hashes_;
        if (auto r = (*weights)->store_tensors(
                device, source, *found, to,
                [&](const std::string& name) { return std::binary_search(wanted.begin(), wanted.end(), name); });
            !r)
            return r.error();
        return std::shared_ptr<const packed_weights>(std::move(*weights));
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
    /// Of the configuration, the format and every weight: equal for equal models, and what conditions are checked by. A hash
    /// of the tensors' own hashes, so that one tensor can change without the others being read.
    std::uint64_t hash() const noexcept { return hash_; }
    operands_type operands() const noexcept { return {const_cast<std::byte*>(base_)}; }
    static constexpr std::size_t bytes() noexcept { return operands_type::layout.bytes; }

private:
    template <class Source>
    static failure unknown_names(const Source& source, const std::vector<std::string_view>& wanted) {
        std::vector<std::string_view> held;
        for (std::size_t i = 0; i < source.size(); ++i) held.push_back(source.info(i).name);
        detail::bounded_list unknown;
        for (const std::string_view name : wanted)
            if (std::find(held.begin(), held.end(), name) == held.end()) unknown.add({name});
        std::string message;
        unknown.append_to(message, "unknown");
        return {errc::not_found, "to be packed anew: " + message};
    }

    /// Weights over new memory of the device, at `to`.
    static result<std::shared_ptr<packed_weights>> allocate(Device& device, std::byte*& to) {
        auto storage = std::make_shared<typename Device::buffer>(device.allocate(bytes()));
        if (storage->empty())
            return failure(errc::device_error, "no memory for the weights: ", bytes(), " bytes on device ",
                           Device::name);
        to = storage->data();
        auto weights = std::make_shared<packed_weights>();
        weights->base_ = to;
        weights->owner_ = std::move(storage);
        return weights;
    }

    /// All bytes from one block to another, in stretches by way of the host.
    static status copy(Device& device, const std::byte* from, std::byte* to) {
        constexpr std::size_t stretch = std::size_t{1} << 22;
        std::vector<std::byte> part((std::min)(stretch, bytes()));
        for (std::size_t at = 0; at < bytes(); at += stretch) {
            const std::size_t n = (std::min)(stretch, bytes() - at);
            status s = device.download(part.data(), from + at, n);
            if (s) s = device.upload(to + at, part.data(), n);
            if (!s) return s;
        }
        return {};
    }

    /// Zeros where a slot may end in padding, so that equal weights are equal bytes.
    static status clear_gaps(Device& device, std::byte* base) {
        constexpr std::array<std::byte, buffer_alignment> zeros{};
        for (const auto& place : operands_type::layout.all()) {
            if (place.n == 0) continue; // the narrowest model has no frequencies
            for (int layer = 0; layer < (place.in_block ? Model::parameters.layers : 1); ++layer) {
                const std::size_t end = operands_type::layout.offset(place, layer) + place.bytes();
                if (const status r = device.upload(base + end - buffer_alignment, zeros.data(), buffer_alignment); !r)
                    return r;
            }
        }
        return {};
    }

    static status store_constants(Device& device, std::byte* base) {
        if constexpr (Model::parameters.constant_count > 0) {
            std::vector<float> values;
            for (const auto& c : Model::parameters.all_constants()) {
                values.clear();
                for (index_t i = 0; i < c.n; ++i) values.push_back(constant_of(Model::config, c.slot, i));
                if (const status s = device.upload(base + operands_type::layout.at(c.slot).offset, values.data(),
                                                   values.size() * sizeof(float));
                    !s)
                    return s;
            }
        }
        return {};
    }

    /// Packs the tensors whose names are wanted, and brings the hashes up to date.
    result<void> store_tensors(Device& device, const auto& source, const std::vector<std::size_t>& found,
                               std::byte* base, const auto& wanted) {
        std::vector<float> rows;
        std::size_t tensor = 0;
        for (const parameter& p : Model::parameters)
            for (int layer = 0; layer < Model::parameters.layers_of(p); ++layer, ++tensor) {
                const std::string name = parameter_name(p, layer);
                if (!wanted(name)) continue;
                if (const status s = store(device, source, found[tensor], p,
                                           base + operands_type::layout.offset(operands_type::layout.at(p.slot), layer),
                                           rows, hashes_[tensor]);
                    !s) {
                    failure f = to_failure(s);
                    f.message = "tensor " + name + ": " + f.message;
                    return f;
                }
            }
        constexpr std::uint64_t of_config = config_hash(Model::config);
        hash_ =
            content_hash(std::as_bytes(std::span<const std::uint64_t>(hashes_)),
                         content_hash(std::as_bytes(std::span(Format::name, std::strlen(Format::name))), of_config));
        return {};
    }

    static status store(Device& device, const auto& source, std::size_t tensor, const parameter& p, std::byte* to,
                        std::vector<float>& rows, std::uint64_t& hash) {
        constexpr index_t stretch = index_t{1} << 20;
        const index_t width = p.packed ? p.width() : 1, count = p.size() / width;
        const auto& place = operands_type::layout.at(p.slot);
        const index_t step = std::max<index_t>(1, stretch / width);
        hash = content_hash({});
        for (index_t first = 0; first < count; first += step) {
            const index_t n = (std::min)(step, count - first);
            rows.resize(to_size(n * width));
            if (const status s = source.read(tensor, first * width, std::span<float>(rows)); !s) return s;
            hash = content_hash(std::as_bytes(std::span<const float>(rows)), hash);
            if (p.scale != 1.0f)
                for (float& v : rows) v *= p.scale;
            const status s =
                p.packed ? device.pack(packed(to, place.n, place.k), p.row + first, std::span<const float>(rows))
                         : device.upload(to + to_size(p.row + first) * sizeof(float), rows.data(),
                                         rows.size() * sizeof(float));
            if (!s) return s;
        }
        return {};
    }

    const std::byte* base_ = nullptr;
    std::shared_ptr<const void> owner_{};
    std::uint64_t hash_ = 0;
    std::vector<std::uint64_t>
        hashes_{}; ///< of each tensor, in the order of the table; none where weights were attached
};

} // namespace apriori
APRIORI_END_EXACT_MATH
