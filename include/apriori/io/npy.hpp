// SPDX-License-Identifier: Apache-2.0
// numpy's .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): float arrays in C order.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/mapped_file.hpp"

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

static_assert(std::endian::native == std::endian::little, "the arrays are little-endian; so must the machine be");

/// An array: extents (none for a single number) and values, row-major.
struct npy_array {
    std::vector<index_t> shape;
    std::vector<float> values;
};

namespace detail {

/// As many float32 as memory can hold.
inline constexpr std::uint64_t npy_most_values =
    static_cast<std::uint64_t>((std::numeric_limits<index_t>::max)()) / sizeof(float);

/// The dictionary of a .npy header, in Python's syntax: exactly the keys descr, fortran_order and shape.
struct npy_header {
    std::string_view descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<index_t>> shape;

    /// Why `text` is not such a dictionary, or nullptr.
    const char* parse(std::string_view text) {
        rest_ = text;
        if (!take("{")) return "the header does not begin with '{'";
        while (!take("}")) {
            const auto key = string();
            if (!key || !take(":")) return "the header is not a dictionary";
            if (*key == "descr" && descr.empty()) {
                const auto value = string();
                if (!value || value->empty()) return "descr is not text";
                descr = *value;
            } else if (*key == "fortran_order" && !fortran_order) {
                if (take("True"))
                    fortran_order = true;
                else if (take("False"))
                    fortran_order = false;
                else
                    return "fortran_order is not True or False";
            } else if (*key == "shape" && !shape) {
                shape.emplace();
                if (!tuple(*shape)) return "shape is not a tuple of integers from 0";
            } else {
                return "the header has a key other than descr, fortran_order and shape, or one twice";
            }
            if (!take(",") && !rest_.starts_with('}')) return "the header is not a dictionary";
        }
        if (!rest_.empty()) return "something follows the header's dictionary";
        return descr.empty() || !fortran_order || !shape ? "the header lacks descr, fortran_order or shape" : nullptr;
    }

private:
    bool take(std::string_view token) {
        skip();
        if (!rest_.starts_with(token)) return false;
        rest_.remove_prefix(token.size());
        skip();
        return true;
    }
    void skip() {
        while (rest_.starts_with(' ') || rest_.starts_with('\n')) rest_.remove_prefix(1);
    }
    std::optional<std::string_view> string() {
        skip();
        if (!rest_.starts_with('\'') && !rest_.starts_with('"')) return std::nullopt;
        const auto end = rest_.find(rest_.front(), 1);
        if (end == std::string_view::npos) return std::nullopt;
        const auto text = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        return text;
    }
    bool tuple(std::vector<index_t>& out) {
        if (!take("(")) return false;
        while (!take(")")) {
            index_t n = 0;
            const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), n);
            if (error != std::errc{} || n < 0 || out.size() == 32) return false;
            rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
            out.push_back(n);
            if (!take(",") && (!rest_.starts_with(')') || out.size() == 1))
                return false; // (3) is a number, not a tuple
        }
        return true;
    }

    std::string_view rest_;
};

} // namespace detail

/// The array in `file`, the bytes of a .npy of version 1 or 2 with little-endian float32 or float16 in C order, exactly
/// as long as its header says; `where` (a path) opens the messages.
inline result<npy_array> parse_npy(std::span<const std::byte> file, std::string_view where) {
    const auto bad = [&](std::string_view what, errc code = errc::bad_format) {
        return failure{code, cat(where, ": ", what)};
    };
    constexpr std::string_view magic = "\x93NUMPY";
    if (file.size() < 10 || std::memcmp(file.data(), magic.data(), magic.size()) != 0) return bad("is not a .npy file");
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(file[i]); };
    if (byte(6) < 1 || byte(6) > 2 || byte(7) != 0)
        return bad(cat(".npy version ", byte(6), ".", byte(7), " is not supported; allowed: 1.0 and 2.0"),
                   errc::unsupported);
    const std::size_t begin = byte(6) == 1 ? 10 : 12;
    std::size_t length = byte(8) | byte(9) << 8;
    if (begin == 12 && file.size() >= begin) length |= byte(10) << 16 | byte(11) << 24;
    if (file.size() < begin || length > file.size() - begin)
        return bad(cat("header length ", length, " exceeds the file of ", file.size(), " bytes; it is truncated"));

    detail::npy_header header;
    if (const char* why = header.parse({reinterpret_cast<const char*>(file.data()) + begin, length})) return bad(why);
    const bool half = header.descr == "<f2";
    if (!half && header.descr != "<f4")
        return bad(cat("descr ", quote(header.descr, 40), " is not supported; allowed: '<f4' and '<f2'"),
                   errc::unsupported);
    if (*header.fortran_order)
        return bad("is in Fortran order; allowed: C order, which numpy.ascontiguousarray gives", errc::unsupported);

    const std::span<const std::byte> data = file.subspan(begin + length);
    const std::size_t each = half ? 2 : 4;
    std::uint64_t count = 1; // of the non-zero extents, so that no product a reader forms can overflow
    bool empty = false;
    for (const index_t n : *header.shape) {
        const auto extent = static_cast<std::uint64_t>(n);
        if (extent != 0 && count > detail::npy_most_values / extent)
            return bad("shape has more elements than memory can hold");
        if (extent != 0) count *= extent;
        empty = empty || extent == 0;
    }
    const std::uint64_t need = empty ? 0 : count * each;
    if (need != data.size())
        return bad(cat("the shape needs ", need, " bytes of data, but ", data.size(), " follow the header"));
    npy_array out{std::move(*header.shape), std::vector<float>(data.size() / each)};
    if (half) {
        for (std::size_t i = 0; i < out.values.size(); ++i) {
            std::uint16_t bits = 0;
            std::memcpy(&bits, data.data() + i * each, each);
            out.values[i] = half_to_float(bits);
        }
    } else if (!data.empty()) {
        std::memcpy(out.values.data(), data.data(), data.size());
    }
    return out;
}

/// The array in a file; see parse_npy.
inline result<npy_array> read_npy(const std::filesystem::path& path) {
    const auto file = mapped_file::open(path);
    if (!file.ok()) return file.error();
    auto array = parse_npy(file->bytes(), path.string());
    if (!array.ok()) return explained(array.error(), path, file->bytes());
    return array;
}

/// Writes `values` as float32 [rows, cols] to a .npy file, whole or not at all. shape_mismatch unless there are
/// rows * cols values.
inline result<void> write_npy(const std::filesystem::path& path, index_t rows, index_t cols,
                              std::span<const float> values) {
    const auto count = static_cast<index_t>(values.size());
    constexpr auto most = static_cast<index_t>(detail::npy_most_values); // also of what is beside a zero
    const bool fits = rows >= 0 && cols >= 0 && rows <= most && cols <= most &&
                      (rows == 0 || cols == 0 ? count == 0 : count % cols == 0 && count / cols == rows);
    if (!fits)
        return failure{errc::shape_mismatch,
                       cat(path.string(), ": ", count, " values are not ", rows, " rows of ", cols)};
    std::string dictionary = cat("{'descr': '<f4', 'fortran_order': False, 'shape': (", rows, ", ", cols, "), }");
    dictionary.resize((10 + dictionary.size() + 1 + 63) / 64 * 64 - 10 - 1, ' '); // data at a multiple of 64
    dictionary += '\n';
    auto file = atomic_file::create(path);
    if (!file.ok()) return file.error();
    std::string header("\x93NUMPY\x01\x00", 8);
    header += static_cast<char>(dictionary.size() & 0xFFU);
    header += static_cast<char>(dictionary.size() >> 8);
    if (auto done = file->write(header + dictionary); !done.ok()) return done;
    if (auto done = file->write(std::as_bytes(values)); !done.ok()) return done;
    return file->commit();
}

} // namespace apriori::io
APRIORI_END_EXACT_MATH
