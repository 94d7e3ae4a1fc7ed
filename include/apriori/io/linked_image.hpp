// SPDX-License-Identifier: Apache-2.0
// Packed weights that are linked into the program and used in place, as in a microcontroller's
// flash. No file, no JSON, no heap.
#pragma once

#include "apriori/core/status.hpp"
#include "apriori/io/packed_header.hpp"
#include "apriori/tensor/host_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace apriori::io {

/// A packed file as `apriori pack` writes it, such as apriori_link_file links. It must stay in memory while it is used,
/// aligned to buffer_alignment. Its header is checked and compared with Model:
///
///     const io::linked_image<Model> image(std::span(digits, digits_end));
///     if (!image.state()) ...
///     const Model model(device, image.weights());
template <class Model>
class linked_image {
public:
    explicit linked_image(std::span<const std::byte> image) noexcept : image_(image) {
        packed_header h;
        packed_fault fault = read_packed_header(image, image.size(), h);
        if (fault == packed_fault::none) fault = compare(h, packed_kind_of<Model>());
        state_ = describe(fault);
        if (state_ && reinterpret_cast<std::uintptr_t>(image.data()) % buffer_alignment != 0)
            state_ = status::invalid("linked image: it is not aligned to buffer_alignment");
        if (state_) weights_ = {payload().data(), h.weights_hash, 0};
    }
    /// The same for the bytes between two symbols of a section.
    explicit linked_image(std::span<const unsigned char> image) noexcept : linked_image(std::as_bytes(image)) {}

    /// bad_format for an image that is damaged or of something else; invalid_argument for one that is not aligned.
    status state() const noexcept { return state_; }
    /// The address and identity of the weights; null after an error.
    const typename Model::block_type& weights() const noexcept { return weights_; }

    /// Reads all weights and compares their checksum. bad_format if it differs.
    status verify() const noexcept {
        if (!state_) return state_;
        packed_header h;
        std::memcpy(&h, image_.data(), sizeof h);
        if (payload_checksum(payload()) != h.payload_checksum)
            return {errc::bad_format, "linked image: its payload is damaged; pack it again"};
        return {};
    }

private:
    std::span<const std::byte> payload() const noexcept { return image_.subspan(packed_header::payload_at); }

    static status describe(packed_fault fault) noexcept {
        const char* what = "";
        switch (fault) {
        case packed_fault::none:
            return {};
        case packed_fault::too_short:
        case packed_fault::not_packed:
            what = "linked image: it is not a packed file; make one with apriori pack";
            break;
        case packed_fault::version:
            what = "linked image: it has another format version; pack it again";
            break;
        case packed_fault::byte_order:
            what = "linked image: it was packed for another byte order";
            break;
        case packed_fault::damaged:
            what = "linked image: its header is damaged; pack it again";
            break;
        case packed_fault::length:
            what = "linked image: its length is not what its header says; pack it again";
            break;
        case packed_fault::configuration:
            what = "linked image: it was packed for another configuration";
            break;
        case packed_fault::format:
            what = "linked image: its weights have another format";
            break;
        case packed_fault::layout:
            what = "linked image: it was packed for another instruction set; pack it with --target";
            break;
        case packed_fault::size:
            what = "linked image: its payload has another size than the model's weights";
            break;
        }
        return {errc::bad_format, what};
    }

    std::span<const std::byte> image_;
    status state_{};
    typename Model::block_type weights_{};
};

} // namespace apriori::io
