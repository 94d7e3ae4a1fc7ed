// SPDX-License-Identifier: Apache-2.0
// A model's weights in the memory of a device: one block, whose layout is a constant of the type, filled from any
// tensor source. Rows that were added to a table, for tokens that were added to a vocabulary, are at its end.
#pragma once

#include "apriori/core/check_tensors.hpp"
#include "apriori/core/content_hash.hpp"
#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/models/packed_operands.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

/// What packing needs to know about a model.
struct packed_model {
    const parameter_table& parameters;
    const packed_layout& layout;
    std::uint64_t config_hash;
    float (*constant)(std::string_view slot, index_t i, index_t n); ///< element i of n
};

/// Keeps the first exception that is thrown on several threads.
class first_exception {
public:
    void keep(const auto& body) {
#if defined(__cpp_exceptions)
        if (thrown_ != 0) return;
        try {
            body();
        } catch (...) {
            if (thrown_.exchange(1) == 0) exception_ = std::current_exception();
        }
#else
        body();
#endif
    }
    void rethrow() const {
#if defined(__cpp_exceptions)
        if (exception_) std::rethrow_exception(exception_);
#endif
    }

private:
#if defined(__cpp_exceptions)
    std::atomic<int> thrown_ = 0; // an int: where bytes are not exchanged by an instruction, this would need a library
    std::exception_ptr exception_;
#endif
};

/// A device's packed matrices of a format. Compile error for a format that the device does not support; the type is
/// then that of f32, so that no further errors follow.
template <class Device, class Format>
struct format_of_device {
    static constexpr bool there = requires { typename Device::template packed<Format>; };
    static_assert(there,
                  "apriori: this device lacks this format of weights; the template arguments of format_of_device "
                  "name both");
    using type = typename Device::template packed<std::conditional_t<there, Format, f32>>;
};

/// The memory of packed_weights, and how it is filled. It depends only on the device and the
/// format, so all models share it.
template <class Device, class Format>
class weight_memory {
public:
    using packed = typename format_of_device<Device, Format>::type;

    /// The hash of the configuration, the format and every weight: equal for equal models, and checked by kv caches. It
    /// is a hash of the tensors' hashes, so that one tensor can change without reading the others.
    std::uint64_t hash() const noexcept { return hash_; }
    /// The rows of the table that grows, beyond those of the configuration.
    index_t added_rows() const noexcept { return added_rows_; }

protected:
    weight_memory() = default;

    result<void> load(Device& device, const packed_model& model, tensor_source_ref source);
    result<void> repack(Device& device, const packed_model& model, const weight_memory& old, tensor_source_ref source,
                        std::span<const std::string> names);

    const std::byte* base_ = nullptr;
    std::shared_ptr<const void> owner_{};
    std::uint64_t hash_ = 0;
    index_t added_rows_ = 0;
    std::vector<std::uint64_t> hashes_{}; ///< of each tensor, in the order of the table; empty if weights were attached

private:
    /// New device memory for these weights, with `added_rows` added rows.
    result<std::byte*> allocate(Device& device, const packed_model& model, index_t added_rows) {
        const std::size_t bytes = model.layout.bytes_with(added_rows);
        auto storage = std::make_shared<typename Device::buffer>(device.allocate(bytes));
        if (storage->empty())
            return failure(errc::device_error, "no memory for the weights: ", bytes, " bytes on device ", Device::name);
        std::byte* to = storage->data();
        base_ = to;
        owner_ = std::move(storage);
        added_rows_ = added_rows;
        return to;
    }
    /// How many more rows the table that grows has in a source than in the configuration.
    static index_t added_rows_in(const packed_model& model, const std::vector<tensor_info>& held) {
        for (const parameter& p : model.parameters)
            if (p.grows)
                for (const tensor_info& t : held)
                    if (t.rank == p.rank && t.name == parameter_name(p, 0))
                        return std::max<index_t>(0, t.dims[0] - p.dims[0]);
        return 0;
    }

    /// Copies all bytes from one block to another, through the host.
    static status copy(Device& device, std::span<const std::byte> from, std::byte* to) {
        constexpr std::size_t most = std::size_t{1} << 22;
        std::vector<std::byte> part((std::min)(most, from.size()));
        for (std::size_t at = 0; at < from.size(); at += most) {
            const std::size_t n = (std::min)(most, from.size() - at);
            status s = device.download(part.data(), from.data() + at, n);
            if (s) s = device.upload(to + at, part.data(), n);
            if (!s) return s;
        }
        return {};
    }

    /// Writes zeros where a slot may end in padding, so that equal weights are equal bytes.
    status clear_gaps(Device& device, const packed_model& model, std::byte* base) const {
        constexpr std::array<std::byte, buffer_alignment> zeros{};
        for (const auto& place : model.layout.all()) {
            if (place.n == 0) continue; // the narrowest model has no frequencies
            for (int layer = 0; layer < (place.in_block ? model.parameters.layers : 1); ++layer) {
                const std::size_t end = place.grows ? model.layout.bytes_with(added_rows_)
                                                    : model.layout.offset(place, layer) + place.bytes;
                if (const status r = device.upload(base + end - buffer_alignment, zeros.data(), buffer_alignment); !r)
                    return r;
            }
        }
        return {};
    }

    static result<void> store_constants(Device& device, const packed_model& model, std::byte* base) {
        std::vector<float> values;
        for (const auto& c : model.parameters.all_constants()) {
            values.clear();
            for (index_t i = 0; i < c.n; ++i) values.push_back(model.constant(c.slot, i, c.n));
            if (const status s =
                    device.upload(base + model.layout.at(c.slot).offset, values.data(), values.size() * sizeof(float));
                !s)
                return s;
        }
        return {};
    }

    /// Packs the tensors of these names, or all if none are given, and updates the hashes.
    result<void> store_tensors(Device& device, const packed_model& model, tensor_source_ref source,
                               const std::vector<std::size_t>& found, std::byte* base,
                               std::span<const std::string> names) {
        struct job {
            const parameter* p;
            int layer;
            std::size_t tensor;
            std::string name;
        };
        std::vector<job> jobs;
        std::size_t tensor = 0;
        for (const parameter& p : model.parameters)
            for (int layer = 0; layer < model.parameters.layers_of(p); ++layer, ++tensor) {
                std::string name = parameter_name(p, layer);
                if (names.empty() || std::find(names.begin(), names.end(), name) != names.end())
                    jobs.push_back({&p, layer, tensor, std::move(name)});
            }
        std::vector<result<void>> done(jobs.size());
        std::atomic<bool> failed = false;
        const auto store_one = [&](index_t i, std::vector<float>& rows) {
            if (failed) return;
            const job& j = at(jobs, i);
            const auto& place = model.layout.at(j.p->slot);
            auto r = store(device, source, found[j.tensor], *j.p, place, base + model.layout.offset(place, j.layer),
                           rows, hashes_[j.tensor]);
            if (r) return;
            failed = true;
            at(done, i) = failure(r.error().code, "tensor ", j.name, ": ", r.error().message);
        };
        concurrently(device, source, std::ssize(jobs), [&](index_t first, index_t last) {
            std::vector<float> rows;
            for (index_t i = first; i < last; ++i) store_one(i, rows);
        });
        for (auto& r : done)
            if (!r) return std::move(r);
        return rehash(model);
    }

    /// body(first, last) for ranges of 0 .. count: on the device's threads if it has any and
    /// several may read the source.
    static void concurrently(Device& device, tensor_source_ref source, index_t count, const auto& body) {
        if constexpr (requires { device.concurrently(count, body); })
            if (source.concurrent_reads()) {
                first_exception thrown; // it must not leave another thread, nor this one before the others are done
                device.concurrently(count,
                                    [&](index_t first, index_t last) { thrown.keep([&] { body(first, last); }); });
                return thrown.rethrow();
            }
        body(index_t{0}, count);
    }

    result<void> rehash(const packed_model& model) {
        const std::string_view format = Format::name;
        hash_ = content_hash(std::as_bytes(std::span<const std::uint64_t>(hashes_)),
                             content_hash(std::as_bytes(std::span(format)), model.config_hash));
        return {};
    }

    result<void> store(Device& device, tensor_source_ref source, std::size_t tensor, const parameter& p,
                       const packed_layout::place& place, std::byte* to, std::vector<float>& rows,
                       std::uint64_t& hash) const {
        constexpr index_t at_once = index_t{1} << 20; // elements
        const index_t size = p.size() + (p.grows ? added_rows_ * p.width() : 0);
        const index_t width = p.packed ? p.width() : 1, count = size / width;
        const index_t step = std::max<index_t>(1, at_once / width);
        hash = content_hash({});
        for (index_t first = 0; first < count; first += step) {
            const index_t n = (std::min)(step, count - first);
            if (to_size(n * width) > rows.capacity())
                rows = std::vector<float>(); // otherwise both would be in memory while one grows into the other
            rows.resize(to_size(n * width));
            if (const status s = source.read(tensor, first * width, std::span<float>(rows)); !s) return s;
            hash = content_hash(std::as_bytes(std::span<const float>(rows)), hash);
            if (const index_t wrong = first_not_finite(rows); wrong < std::ssize(rows))
                return failure(errc::invalid_argument,
                               number_and_place(source.info(tensor), first * width + wrong, at(rows, wrong)),
                               "; a model's weights must be finite numbers");
            if (p.scale != 1.0f)
                for (float& v : rows) v *= p.scale;
            const status s =
                p.packed ? device.pack(packed(to, place.n, place.k), p.row + first, std::span<const float>(rows))
                         : device.upload(to + to_size(p.row + first) * sizeof(float), rows.data(),
                                         rows.size() * sizeof(float));
            if (!s && s.code == errc::invalid_argument && !rows.empty()) { // too large for the format
                const auto most = std::max_element(rows.begin(), rows.end(),
                                                   [](float a, float b) { return std::abs(a) < std::abs(b); });
                return failure(s.code, s.what, "; the largest here: ",
                               number_and_place(source.info(tensor), first * width + (most - rows.begin()), *most));
            }
            if (!s) return s;
        }
        return {};
    }

    /// The index of the first NaN or infinity; rows.size() if there is none. Tests bits, so
    /// that -ffast-math does not matter.
    static index_t first_not_finite(const std::vector<float>& rows) noexcept {
        // an exponent of all ones carries into the sign bit
        const auto carried = [](float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) + 0x00800000u; };
        std::uint32_t any = 0;
        for (const float x : rows) any |= carried(x); // without a branch, as fast as memory
        if (any >> 31 == 0) return std::ssize(rows);
        return std::find_if_not(rows.begin(), rows.end(), [](float x) { return is_finite(x); }) - rows.begin();
    }
};

template <class Device, class Format>
result<void> weight_memory<Device, Format>::load(Device& device, const packed_model& model, tensor_source_ref source) {
    const auto infos = infos_of(source);
    const index_t added = added_rows_in(model, infos);
    const auto found = find_tensors(infos, tensor_list(model.parameters, added).infos());
    if (!found) return found.error();
    const auto to = allocate(device, model, added);
    if (!to) return to.error();
    if (const status s = clear_gaps(device, model, *to); !s) return s;
    hashes_.resize(found->size());
    if (auto r = store_tensors(device, model, source, *found, *to, {}); !r) return r;
    return store_constants(device, model, *to);
}

template <class Device, class Format>
result<void> weight_memory<Device, Format>::repack(Device& device, const packed_model& model, const weight_memory& old,
                                                   tensor_source_ref source, std::span<const std::string> names) {
    const auto infos = infos_of(source);
    const auto found = find_tensors(infos, tensor_list(model.parameters, old.added_rows_).infos());
    if (!found) return found.error();
    if (old.hashes_.empty())
        return failure{errc::unsupported,
                       "weights that were attached packed cannot be packed anew in part; load them from their source"};
    bounded_list unknown;
    for (const std::string_view name : names)
        if (std::none_of(infos.begin(), infos.end(), [&](const tensor_info& t) { return t.name == name; }))
            unknown.add({name});
    if (unknown.count() != 0) {
        std::string message;
        unknown.append_to(message, "unknown");
        return failure{errc::not_found, "to be packed anew: " + message};
    }

    const auto to = allocate(device, model, old.added_rows_);
    if (!to) return to.error();
    if (const status s = copy(device, {old.base_, model.layout.bytes_with(old.added_rows_)}, *to); !s) return s;
    hashes_ = old.hashes_;
    return names.empty() ? rehash(model) : store_tensors(device, model, source, *found, *to, names);
}

} // namespace detail

/// Weights of a model on a device, shared between the models that use them.
template <class Model, class Device, class Format>
class packed_weights : public detail::weight_memory<Device, Format> {
    using memory = detail::weight_memory<Device, Format>;

public:
    using typename memory::packed;
    using operands_type = packed_operands<Model, packed>;

    /// Reads, checks, packs and uploads all tensors of `source`. Besides the packed weights it needs memory for 4 MiB
    /// of floats for each thread and for the tensors' names. A table that grows may have more rows in the source than
    /// in the configuration. Errors name all missing, unexpected and misshapen tensors, or the place of a weight that
    /// is NaN, infinite or too large for the format: one such number would make every answer NaN.
    static result<std::shared_ptr<const packed_weights>> load(Device& device, tensor_source_ref source) {
        const auto weights = std::make_shared<packed_weights>();
        if (auto r = weights->memory::load(device, description, source); !r) return r.error();
        return std::shared_ptr<const packed_weights>(weights);
    }

    /// A copy of these weights with the tensors of `names` packed anew from `source`, which has all tensors of the
    /// model. Bytes and hash are those that load() would make of a source that differs only in these tensors, but the
    /// others are not read. To merge a LoRA, pass the names that it touches and a source that adds it
    /// (io/lora_source.hpp); to remove it, the same names and the plain source. Models that share these weights keep
    /// them, so while both exist they take twice the memory. Errors: those of load(), not_found for names that the
    /// model does not have, and unsupported for attached weights, whose tensors' hashes are unknown.
    result<std::shared_ptr<const packed_weights>> repack(Device& device, tensor_source_ref source,
                                                         std::span<const std::string> names) const {
        const auto weights = std::make_shared<packed_weights>();
        if (auto r = weights->memory::repack(device, description, *this, source, names); !r) return r.error();
        return std::shared_ptr<const packed_weights>(weights);
    }

    /// Uses weights that are already packed at `memory`, as in another model's packed_bytes();
    /// `owner` keeps them in memory.
    static std::shared_ptr<const packed_weights> attach(const std::byte* memory, std::shared_ptr<const void> owner,
                                                        std::uint64_t hash) {
        auto weights = std::make_shared<packed_weights>();
        weights->base_ = memory;
        weights->owner_ = std::move(owner);
        weights->hash_ = hash;
        return weights;
    }

    /// The packed weights, in the device's memory.
    std::span<const std::byte> packed_bytes() const noexcept { return block().bytes(); }
    weight_block<operands_type> block() const noexcept { return {this->base_, this->hash_, this->added_rows_}; }
    operands_type operands() const noexcept { return block().operands(); }
    /// The size without added rows.
    static constexpr std::size_t bytes() noexcept { return operands_type::layout.bytes; }

private:
    static constexpr detail::packed_model description{
        Model::parameters, operands_type::layout, config_hash(Model::config),
        [](std::string_view slot, index_t i, index_t n) -> float {
            if constexpr (requires { constant_of(Model::config, slot, i, n); })
                return constant_of(Model::config, slot, i, n);
            else
                return 0;
        }};
};

} // namespace apriori
APRIORI_END_EXACT_MATH
