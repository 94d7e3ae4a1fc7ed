// SPDX-License-Identifier: Apache-2.0
// Packed files: a model's weights as a device holds them, in one file that is mapped and used as it is. Loading reads a
// header; processes that map the same file share its memory.
#pragma once

#include "apriori/core/content_hash.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/models/prior_parameters.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>

namespace apriori::io {

/// The first bytes of a packed file; zeros follow up to the payload, at a multiple of the page size.
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

/// What a packed file must be to be a model's.
struct packed_kind {
    std::uint64_t config_hash = 0;
    std::string_view format{};
    std::string layout{};
    std::uint64_t payload_bytes = 0;
};

template <class Model>
packed_kind packed_kind_of() {
    return {config_hash(Model::config), Model::format::name, Model::weights::packed::layout_name(),
            Model::weights::bytes()};
}

/// Told how many bytes of a payload are done; false stops, with `cancelled`. None: never.
using packing_progress = std::function<bool(std::uint64_t done)>;

namespace detail {

template <std::size_t N>
std::array<char, N> padded_text(std::string_view text) {
    std::array<char, N> a{};
    std::copy_n(text.begin(), (std::min)(N - 1, text.size()), a.begin());
    return a;
}
/// Whether it is printable ASCII with zeros behind, as padded_text makes it.
template <std::size_t N>
bool is_padded_text(const std::array<char, N>& a) {
    const auto end = std::find(a.begin(), a.end(), '\0');
    return end != a.end() && std::all_of(a.begin(), end, [](char c) { return c >= 0x20 && c < 0x7F; }) &&
           std::all_of(end, a.end(), [](char c) { return c == '\0'; });
}
template <std::size_t N>
std::string text_of(const std::array<char, N>& a) {
    return std::string(a.data(), ::strnlen(a.data(), N));
}

/// body(chunk) for a payload in chunks; progress hears the bytes done after each.
template <class Body>
result<void> in_chunks(std::span<const std::byte> payload, const packing_progress& progress, Body&& body) {
    constexpr std::size_t chunk = std::size_t{1} << 26;
    for (std::size_t at = 0; at < payload.size(); at += chunk) {
        const auto part = payload.subspan(at, (std::min)(chunk, payload.size() - at));
        if (result<void> r = body(part); !r) return r;
        if (progress && !progress(at + part.size())) return failure{errc::cancelled, "stopped"};
    }
    return {};
}

/// The checksum of a payload: chunk by chunk, each continuing from the one before.
inline result<std::uint64_t> payload_checksum(std::span<const std::byte> payload, const packing_progress& progress) {
    std::uint64_t sum = content_hash({});
    const auto r = in_chunks(payload, progress, [&](std::span<const std::byte> part) -> result<void> {
        sum = content_hash(part, sum);
        return {};
    });
    if (!r) return r.error();
    return sum;
}

} // namespace detail

/// The header at the beginning of `bytes`, of a file of `file_bytes` bytes: everything that can be wrong with it alone is
/// refused. `bytes` hold at least what lies before the payload, or all of a shorter file; `where` opens the messages.
inline result<packed_header> parse_packed_header(std::span<const std::byte> bytes, std::uint64_t file_bytes,
                                                 std::string_view where) {
    const auto refuse = [&](const std::string& why) { return failure{errc::bad_format, cat(where, ": ", why)}; };
    packed_header h;
    if (bytes.size() < sizeof h)
        return refuse(cat("is ", std::to_string(file_bytes), " bytes long, too short for a packed file"));
    std::memcpy(&h, bytes.data(), sizeof h);
    if (h.magic != packed_header{}.magic) return refuse("is not a packed file; make one with apriori pack");
    if (h.version != packed_header::current_version)
        return refuse(cat("has format version ", std::to_string(h.version), ", this program reads ",
                          std::to_string(packed_header::current_version), "; pack it again"));
    if (h.byte_order != packed_header{}.byte_order)
        return refuse("was packed on a machine of another byte order; pack it again here");
    if (h.header_checksum != h.checksum() || h.payload_offset != packed_header::payload_at ||
        !detail::is_padded_text(h.format) || !detail::is_padded_text(h.layout))
        return refuse("its header is damaged; pack it again");
    if (file_bytes < packed_header::payload_at || file_bytes - packed_header::payload_at != h.payload_bytes)
        return refuse(cat("is ", std::to_string(file_bytes), " bytes long, and its header says that ",
                          std::to_string(h.payload_bytes), " come behind the first ",
                          std::to_string(packed_header::payload_at), "; pack it again"));
    const auto gap = bytes.subspan(sizeof h, packed_header::payload_at - sizeof h);
    if (std::any_of(gap.begin(), gap.end(), [](std::byte b) { return b != std::byte{0}; }))
        return refuse("its header is damaged; pack it again");
    return h;
}

/// A packed file in memory, its header checked. Processes that open the same file share its pages.
class packed_file {
public:
    static result<packed_file> open(const std::filesystem::path& path) {
        auto file = mapped_file::open(path);
        if (!file) return file.error();
        const auto header = parse_packed_header(file->bytes(), file->bytes().size(), path.string());
        if (!header) return explained(header.error(), path, file->bytes());
        return packed_file(path, std::make_shared<mapped_file>(std::move(*file)), *header);
    }

    const packed_header& header() const noexcept { return header_; }
    std::string format() const { return detail::text_of(header_.format); }
    std::string layout() const { return detail::text_of(header_.layout); }
    std::span<const std::byte> payload() const noexcept { return file_->bytes().subspan(header_.payload_offset); }
    /// What keeps the payload in memory.
    std::shared_ptr<const void> owner() const noexcept { return file_; }

    /// Whether it is of that kind: a file of another configuration, weight format, layout or machine is refused, with
    /// the reason.
    result<void> check(const packed_kind& want) const {
        const auto refuse = [&](const std::string& why) {
            return failure{errc::bad_format, cat(path_.string(), ": ", why)};
        };
        if (header_.config_hash != want.config_hash) return refuse("was packed for another configuration");
        if (header_.format != detail::padded_text<16>(want.format))
            return refuse(cat("holds ", format(), " weights, not ", want.format));
        if (header_.layout != detail::padded_text<64>(want.layout))
            return refuse(cat("was packed for ", layout(), ", this device has ", want.layout, "; pack it again here"));
        if (header_.payload_bytes != want.payload_bytes)
            return refuse("its payload has another size than the model's weights");
        return {};
    }

    /// Reads the whole payload and compares its checksum.
    result<void> verify(const packing_progress& progress = {}) const {
        const auto sum = detail::payload_checksum(payload(), progress);
        if (!sum) return sum.error();
        if (*sum != header_.payload_checksum)
            return failure{errc::bad_format, cat(path_.string(), ": its payload is damaged; pack it again")};
        return {};
    }

private:
    packed_file(std::filesystem::path path, std::shared_ptr<mapped_file> file, const packed_header& header)
        : path_(std::move(path)), file_(std::move(file)), header_(header) {}

    std::filesystem::path path_;
    std::shared_ptr<mapped_file> file_;
    packed_header header_;
};

/// Writes packed weights. The file appears whole or not at all.
inline result<void> write_packed_file(const packed_kind& kind, std::uint64_t weights_hash,
                                      std::span<const std::byte> payload, const std::filesystem::path& path,
                                      const packing_progress& progress = {}) {
    auto file = atomic_file::create(path); // first, so that a path that cannot be written costs no checksum
    if (!file) return file.error();
    packed_header h;
    h.config_hash = kind.config_hash;
    h.weights_hash = weights_hash;
    h.payload_bytes = payload.size();
    h.format = detail::padded_text<16>(kind.format);
    h.layout = detail::padded_text<64>(kind.layout);
    const auto sum = detail::payload_checksum(payload, {});
    if (!sum) return sum.error();
    h.payload_checksum = *sum;
    h.header_checksum = h.checksum();
    std::array<std::byte, packed_header::payload_at> first{};
    std::memcpy(first.data(), &h, sizeof h);
    if (auto r = file->write(std::span<const std::byte>(first)); !r) return r;
    if (auto r = detail::in_chunks(payload, progress, [&](auto part) { return file->write(part); }); !r) return r;
    return file->commit();
}

/// The same of a model on a device whose memory the host can read. unsupported for a table with added rows: images have the
/// size that the configuration says.
template <class Model>
result<void> write_packed_file(const Model& model, const std::filesystem::path& path) {
    const auto& weights = *model.shared_weights();
    if (weights.added_rows() > 0)
        return failure{errc::unsupported,
                       cat(path.string(), ": a packed file has no room for the ", weights.added_rows(),
                           " tokens that were added to this text encoder; load it from its folder")};
    return write_packed_file(packed_kind_of<Model>(), weights.hash(), weights.packed_bytes(), path);
}

/// A model on the mapped weights of a packed file: nothing is copied, pages are read as they are needed. What packed_file::check
/// refuses is refused; the payload's checksum is verify_packed_file's.
template <class Model>
result<Model> open_packed_file(typename Model::device_type& device, const std::filesystem::path& path) {
    const auto file = packed_file::open(path);
    if (!file) return file.error();
    if (auto fits = file->check(packed_kind_of<Model>()); !fits) return fits.error();
    return Model(device, Model::weights::attach(file->payload().data(), file->owner(), file->header().weights_hash));
}

/// Reads the whole file and compares its checksums.
inline result<void> verify_packed_file(const std::filesystem::path& path) {
    const auto file = packed_file::open(path);
    if (!file) return file.error();
    return file->verify();
}

} // namespace apriori::io
