// SPDX-License-Identifier: Apache-2.0
// Packed images: a model's weights as a device holds them, in one file that is mapped and used as it is. Loading reads a
// header; processes that map the same file share its memory.
#pragma once

#include "apriori/core/content_hash.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <memory>

namespace apriori::io {

/// The first bytes of a packed image. The payload begins at payload_offset, a multiple of the page size.
struct packed_header {
    static constexpr std::uint32_t current_version = 1;
    static constexpr std::uint64_t payload_at = 4096;

    std::array<char, 8> magic{'A', 'P', 'R', 'I', 'O', 'R', 'I', '\0'};
    std::uint32_t version = current_version;
    std::uint32_t byte_order = 0x01020304;
    std::uint64_t config_hash = 0;  ///< of the canonical configuration
    std::uint64_t weights_hash = 0; ///< of configuration, format and weights
    std::uint64_t payload_offset = payload_at;
    std::uint64_t payload_bytes = 0;
    std::uint64_t payload_checksum = 0;
    std::array<char, 16> format{}; ///< of the weights: "f32", "bf16" ..., zeros behind
    std::array<char, 64> layout{}; ///< of packed matrices, zeros behind
    std::uint64_t header_checksum = 0;

    std::uint64_t checksum() const noexcept {
        packed_header h = *this;
        h.header_checksum = 0;
        return content_hash(std::as_bytes(std::span(&h, 1)));
    }
};
static_assert(sizeof(packed_header) == 144 && std::is_trivially_copyable_v<packed_header>);

namespace detail {

template <std::size_t N>
std::array<char, N> padded_text(std::string_view text) {
    std::array<char, N> a{};
    std::copy_n(text.begin(), std::min(N - 1, text.size()), a.begin());
    return a;
}
template <std::size_t N>
std::string text_of(const std::array<char, N>& a) {
    return std::string(a.data(), ::strnlen(a.data(), N));
}

/// The header that a model's image must have but for its hash and checksums.
template <class Model>
packed_header expected_header() {
    packed_header h;
    h.config_hash = apriori::config_hash(Model::config);
    h.payload_bytes = Model::weights::bytes();
    h.format = padded_text<16>(Model::format::name);
    h.layout = padded_text<64>(Model::weights::packed::layout_name());
    return h;
}

/// Reads and checks the header of a mapped image.
inline result<packed_header> read_header(const mapped_file& file, const std::filesystem::path& path) {
    const auto refuse = [&](const std::string& why) {
        return failure{errc::bad_format, cat(path.string(), ": ", why)};
    };
    const auto bytes = file.bytes();
    packed_header h;
    if (bytes.size() < sizeof h)
        return refuse(cat("is ", std::to_string(bytes.size()), " bytes long, too short for a packed image"));
    std::memcpy(&h, bytes.data(), sizeof h);
    if (h.magic != packed_header{}.magic) return refuse("is not a packed image; make one with apriori pack");
    if (h.version != packed_header::current_version)
        return refuse(cat("has format version ", std::to_string(h.version), ", this program reads ",
                          std::to_string(packed_header::current_version), "; pack it again"));
    if (h.byte_order != packed_header{}.byte_order)
        return refuse("was packed on a machine of another byte order; pack it again here");
    if (h.header_checksum != h.checksum()) return refuse("its header is damaged; pack it again");
    if (h.payload_offset != packed_header::payload_at || h.payload_bytes != bytes.size() - packed_header::payload_at ||
        bytes.size() < h.payload_offset)
        return refuse(cat("is ", std::to_string(bytes.size()), " bytes long, its header says ",
                          std::to_string(h.payload_offset + h.payload_bytes)));
    return h;
}

} // namespace detail

/// Writes the weights of a model on a device whose memory the host can read (cpu, eigen). The file appears whole or not at all.
template <class Model>
result<void> write_packed_image(const Model& model, const std::filesystem::path& path) {
    const auto payload = model.shared_weights()->packed_bytes();
    packed_header h = detail::expected_header<Model>();
    h.weights_hash = model.shared_weights()->hash();
    h.payload_checksum = content_hash(payload);
    h.header_checksum = h.checksum();
    std::array<std::byte, packed_header::payload_at> first{};
    std::memcpy(first.data(), &h, sizeof h);
    auto file = atomic_file::create(path);
    if (!file) return file.error();
    if (auto r = file->write(std::span<const std::byte>(first)); !r) return r;
    if (auto r = file->write(payload); !r) return r;
    return file->commit();
}

/// A model on an image's mapped weights: nothing is copied, pages are read as they are needed. An image of another
/// configuration, weight format, layout or machine is refused, with the reason; the payload's checksum is verify_packed_image's.
template <class Model>
result<Model> open_packed_image(typename Model::device_type& device, const std::filesystem::path& path) {
    auto opened = mapped_file::open(path);
    if (!opened) return opened.error();
    auto file = std::make_shared<mapped_file>(std::move(*opened));
    const auto header = detail::read_header(*file, path);
    if (!header) return header.error();
    const packed_header want = detail::expected_header<Model>();
    const auto refuse = [&](const std::string& why) {
        return failure{errc::bad_format, cat(path.string(), ": ", why)};
    };
    if (header->config_hash != want.config_hash) return refuse("was packed for another configuration");
    if (header->format != want.format)
        return refuse(cat("holds ", detail::text_of(header->format), " weights, not ", detail::text_of(want.format)));
    if (header->layout != want.layout)
        return refuse(cat("was packed for ", detail::text_of(header->layout), ", this device has ",
                          detail::text_of(want.layout), "; pack it again here"));
    if (header->payload_bytes != want.payload_bytes)
        return refuse("its payload has another size than the model's weights");
    const std::byte* payload = file->bytes().data() + header->payload_offset;
    return Model(device, Model::weights::attach(payload, std::move(file), header->weights_hash));
}

/// Reads the whole image and compares its checksum.
inline result<void> verify_packed_image(const std::filesystem::path& path) {
    auto file = mapped_file::open(path);
    if (!file) return file.error();
    const auto header = detail::read_header(*file, path);
    if (!header) return header.error();
    if (content_hash(file->bytes().subspan(header->payload_offset)) != header->payload_checksum)
        return failure{errc::bad_format, cat(path.string(), ": its payload is damaged; pack it again")};
    return {};
}

} // namespace apriori::io
