// SPDX-License-Identifier: Apache-2.0
// Packed files: a model's weights as a device holds them, in one file that is mapped and used in place. Loading reads
// only a header, and processes that map the same file share its memory.
#pragma once

#include "apriori/core/content_hash.hpp"
#include "apriori/core/index.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/io/packed_header.hpp"
#include "apriori/io/page_reader.hpp"
#include "apriori/models/prior_parameters.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>

namespace apriori::io {

/// Called with the number of bytes of a payload that are done; returning false stops with `cancelled`. May be empty.
using packing_progress = std::function<bool(std::uint64_t done)>;

namespace detail {

template <std::size_t N>
std::string text_of(const std::array<char, N>& a) {
    return std::string(a.data(), ::strnlen(a.data(), N));
}

/// Calls body(chunk) for a payload in chunks, and progress after each.
template <class Body>
result<void> in_chunks(std::span<const std::byte> payload, const packing_progress& progress, Body&& body) {
    constexpr std::size_t chunk = checksum_chunk;
    for (std::size_t at = 0; at < payload.size(); at += chunk) {
        const auto part = payload.subspan(at, (std::min)(chunk, payload.size() - at));
        if (result<void> r = body(part); !r) return r;
        if (progress && !progress(at + part.size())) return failure{errc::cancelled, "stopped"};
    }
    return {};
}

/// The checksum of a payload: chunk by chunk, each continuing from the previous one.
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

/// The argument of `apriori pack --target` for a layout of the device cpu, whose panels are two registers of
/// floats; empty for other layouts.
constexpr std::string_view packing_target(std::string_view layout) noexcept {
    constexpr std::array<std::array<std::string_view, 2>, 4> targets{{{"cpu panels of 2", "scalar"},
                                                                      {"cpu panels of 8", "sse2, neon or wasm"},
                                                                      {"cpu panels of 16", "avx2"},
                                                                      {"cpu panels of 32", "avx512"}}};
    for (const auto& [name, target] : targets)
        if (name == layout) return target;
    return {};
}

/// The header at the beginning of `bytes`, from a file of `file_bytes` bytes. bad_format for everything that can
/// be wrong with it without a model. `bytes` must hold at least what is before the payload, or all of a shorter
/// file; messages begin with `where`.
inline result<packed_header> parse_packed_header(std::span<const std::byte> bytes, std::uint64_t file_bytes,
                                                 std::string_view where) {
    const auto refuse = [&](const std::string& why) { return failure{errc::bad_format, cat(where, ": ", why)}; };
    packed_header h;
    switch (read_packed_header(bytes, file_bytes, h)) {
    case packed_fault::too_short:
        return refuse(cat("is ", std::to_string(file_bytes), " bytes long, too short for a packed file"));
    case packed_fault::not_packed:
        return refuse("is not a packed file; make one with apriori pack");
    case packed_fault::version:
        return refuse(cat("has format version ", std::to_string(h.version), ", this program reads ",
                          std::to_string(packed_header::current_version), "; pack it again"));
    case packed_fault::byte_order:
        return refuse("was packed on a machine of another byte order; pack it again here");
    case packed_fault::length:
        return refuse(cat("is ", std::to_string(file_bytes), " bytes long, and its header says that ",
                          std::to_string(h.payload_bytes), " come behind the first ",
                          std::to_string(packed_header::payload_at), "; pack it again"));
    case packed_fault::damaged:
        return refuse("its header is damaged; pack it again");
    default:
        return h;
    }
}

/// A packed file in memory, whose header has been checked. Processes that open the same file share its pages.
class packed_file {
public:
    /// Maps a file and checks its header; see parse_packed_header.
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
    /// Keeps the payload in memory. As long as it lives, a thread maps the pages, so that the first use of the weights
    /// does not wait for each of them.
    std::shared_ptr<const void> owner() const { return std::make_shared<page_reader>(file_); }

    /// Checks that the file is of that kind: bad_format, with the reason, if it is of another configuration,
    /// weight format, layout or machine.
    result<void> check(const packed_kind& want) const {
        const auto refuse = [&](const std::string& why) {
            return failure{errc::bad_format, cat(path_.string(), ": ", why)};
        };
        switch (compare(header_, want)) {
        case packed_fault::configuration:
            return refuse("was packed for another configuration");
        case packed_fault::format:
            return refuse(cat("holds ", format(), " weights, not ", want.format));
        case packed_fault::layout: {
            const std::string_view target = packing_target(want.layout);
            return refuse(cat("was packed for ", layout(), ", this device has ", want.layout, "; pack it again here",
                              target.empty() ? "" : ", or elsewhere for --target ", target));
        }
        case packed_fault::size:
            return refuse("its payload has another size than the model's weights");
        default:
            return {};
        }
    }

    /// Reads the whole payload and compares its checksum; bad_format if it differs.
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

/// Writes packed weights to a file, which appears whole or not at all.
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
    h.payload_checksum = payload_checksum(payload);
    h.header_checksum = h.checksum();
    std::array<std::byte, packed_header::payload_at> first{};
    std::memcpy(first.data(), &h, sizeof h);
    if (auto r = file->write(std::span<const std::byte>(first)); !r) return r;
    if (auto r = detail::in_chunks(payload, progress, [&](auto part) { return file->write(part); }); !r) return r;
    return file->commit();
}

/// The same for a model on a device whose memory the host can read. unsupported for a table with added rows: packed
/// files have the size that follows from the configuration.
template <class Model>
result<void> write_packed_file(const Model& model, const std::filesystem::path& path) {
    const auto& weights = model.weights_block();
    if (weights.added_rows > 0)
        return failure{errc::unsupported, cat(path.string(), ": a packed file has no room for the ", weights.added_rows,
                                              " tokens that were added to this text encoder; load it from its folder")};
    return write_packed_file(packed_kind_of<Model>(), weights.hash, weights.bytes(), path);
}

/// A model on the mapped weights of a packed file: nothing is copied, pages are read when they are needed. The errors
/// are those of packed_file::open and packed_file::check; only verify_packed_file compares the payload's checksum.
template <class Model>
result<Model> open_packed_file(typename Model::device_type& device, const std::filesystem::path& path) {
    const auto file = packed_file::open(path);
    if (!file) return file.error();
    if (auto fits = file->check(packed_kind_of<Model>()); !fits) return fits.error();
    return Model(device, Model::weights::attach(file->payload().data(), file->owner(), file->header().weights_hash));
}

/// The same with weights in memory of this process, filled by the threads of the device, so that they are on the NUMA
/// nodes where these run. A mapped file is one copy for all processes of a machine, in the memory of the node that read
/// it first; with a process bound to each node, this is a copy for each.
template <class Model>
result<Model> copy_packed_file(typename Model::device_type& device, const std::filesystem::path& path) {
    using device_type = typename Model::device_type;
    static_assert(device_type::is_host, "apriori: copy_packed_file: the device computes in memory that the host fills");
    const auto file = packed_file::open(path);
    if (!file) return file.error();
    if (auto fits = file->check(packed_kind_of<Model>()); !fits) return fits.error();
    const auto from = file->payload();
    auto storage = std::make_shared<typename device_type::buffer>(device.allocate(from.size()));
    if (storage->empty())
        return failure{errc::device_error, cat(path.string(), ": no memory for a copy of ", from.size(),
                                               " bytes; map the file (open_packed_file)")};
    constexpr std::size_t piece = std::size_t{1} << 21; // a large page
    const auto copy = [&](index_t first, index_t last) {
        const std::size_t at = to_size(first) * piece, end = (std::min)(to_size(last) * piece, from.size());
        std::memcpy(storage->data() + at, from.data() + at, end - at);
    };
    const index_t pieces = ceil_div(index_t(from.size()), index_t(piece));
    if constexpr (requires { device.concurrently(pieces, copy); })
        device.concurrently(pieces, copy);
    else
        copy(0, pieces);
    const std::byte* weights = storage->data();
    return Model(device, Model::weights::attach(weights, std::move(storage), file->header().weights_hash));
}

/// Reads the whole file and compares its checksums; bad_format if one differs.
inline result<void> verify_packed_file(const std::filesystem::path& path) {
    const auto file = packed_file::open(path);
    if (!file) return file.error();
    return file->verify();
}

} // namespace apriori::io
