// SPDX-License-Identifier: Apache-2.0
// The first bytes of a packed file, and what can be wrong with them. Uses no file, string or heap, so that it also
// works for a packed file in a microcontroller's flash (io/linked_image.hpp).
#pragma once

#include "apriori/core/content_hash.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace apriori::io {

/// The first bytes of a packed file. Zeros follow up to the payload, which begins at a multiple of the page size.
struct packed_header {
    static constexpr std::uint32_t current_version = 4;
    static constexpr std::uint64_t payload_at = 4096;

    std::array<char, 8> magic{'A', 'P', 'R', 'I', 'O', 'R', 'I', '\0'};
    std::uint32_t version = current_version;
    std::uint32_t byte_order = 0x01020304;
    std::uint64_t config_hash = 0;  ///< of the canonical configuration
    std::uint64_t weights_hash = 0; ///< of configuration, format and weights
    std::uint64_t payload_offset = payload_at;
    std::uint64_t payload_bytes = 0;
    std::uint64_t payload_checksum = 0;
    std::array<char, 16> format{}; ///< of the weights: "f32", "bf16" ..., padded with zeros
    std::array<char, 64> layout{}; ///< of packed matrices, padded with zeros
    std::uint64_t header_checksum = 0;

    std::uint64_t checksum() const noexcept {
        packed_header h = *this;
        h.header_checksum = 0;
        return content_hash(std::as_bytes(std::span(&h, 1)));
    }
};
static_assert(sizeof(packed_header) == 144 && std::is_trivially_copyable_v<packed_header>);

/// The kind of packed file that a model needs. The texts are constants of the program.
struct packed_kind {
    std::uint64_t config_hash = 0;
    std::string_view format{};
    std::string_view layout{};
    std::uint64_t payload_bytes = 0;
};

template <class Model>
constexpr packed_kind packed_kind_of() {
    // at compile time, or a program would need the code for it
    constexpr std::uint64_t hash = config_hash(Model::config);
    return {hash, Model::format::name, Model::weights::packed::layout_name(), Model::weights::bytes()};
}

/// What is wrong with a packed file: with its header, or as the file of a model.
enum class packed_fault : std::uint8_t {
    none,
    too_short,  ///< too short for a header
    not_packed, ///< another kind of file
    version,    ///< another version of the format
    byte_order,
    damaged,       ///< the header
    length,        ///< the file's length is not what its header says
    configuration, ///< another configuration of the model
    format,        ///< another format of the weights
    layout,        ///< another layout of packed matrices
    size,          ///< another size of the payload
};

namespace detail {

template <std::size_t N>
constexpr std::array<char, N> padded_text(std::string_view text) {
    std::array<char, N> a{};
    std::copy_n(text.begin(), (std::min)(N - 1, text.size()), a.begin());
    return a;
}
/// Whether it is printable ASCII padded with zeros, as padded_text makes it.
inline bool is_padded_text(std::span<const char> a) {
    const auto end = std::find(a.begin(), a.end(), '\0');
    return end != a.end() && std::all_of(a.begin(), end, [](char c) { return c >= 0x20 && c < 0x7F; }) &&
           std::all_of(end, a.end(), [](char c) { return c == '\0'; });
}

/// Bytes of a payload whose checksum is computed at a time; the next part continues from it.
inline constexpr std::size_t checksum_chunk = std::size_t{1} << 26;

} // namespace detail

/// Reads the header at the beginning of `bytes`, from a file of file_bytes bytes. `bytes` must hold at least what
/// is before the payload, or all of a shorter file. Finds everything that can be wrong without a model; fills
/// `to` if there are enough bytes.
inline packed_fault read_packed_header(std::span<const std::byte> bytes, std::uint64_t file_bytes, packed_header& to) {
    constexpr packed_header empty;
    if (bytes.size() < sizeof to) return packed_fault::too_short;
    std::memcpy(&to, bytes.data(), sizeof to);
    if (to.magic != empty.magic) return packed_fault::not_packed;
    if (to.version != packed_header::current_version) return packed_fault::version;
    if (to.byte_order != empty.byte_order) return packed_fault::byte_order;
    if (to.header_checksum != to.checksum() || to.payload_offset != packed_header::payload_at ||
        !detail::is_padded_text(to.format) || !detail::is_padded_text(to.layout))
        return packed_fault::damaged;
    if (file_bytes < packed_header::payload_at || file_bytes - packed_header::payload_at != to.payload_bytes)
        return packed_fault::length;
    const auto gap = bytes.subspan(sizeof to, packed_header::payload_at - sizeof to);
    if (std::any_of(gap.begin(), gap.end(), [](std::byte b) { return b != std::byte{0}; }))
        return packed_fault::damaged;
    return packed_fault::none;
}

/// How a header differs from what a model needs.
inline packed_fault compare(const packed_header& h, const packed_kind& want) {
    if (h.config_hash != want.config_hash) return packed_fault::configuration;
    if (h.format != detail::padded_text<16>(want.format)) return packed_fault::format;
    if (h.layout != detail::padded_text<64>(want.layout)) return packed_fault::layout;
    if (h.payload_bytes != want.payload_bytes) return packed_fault::size;
    return packed_fault::none;
}

/// The checksum of a payload.
inline std::uint64_t payload_checksum(std::span<const std::byte> payload) noexcept {
    std::uint64_t sum = content_hash({});
    for (std::size_t at = 0; at < payload.size(); at += detail::checksum_chunk)
        sum = content_hash(payload.subspan(at, (std::min)(detail::checksum_chunk, payload.size() - at)), sum);
    return sum;
}

} // namespace apriori::io
