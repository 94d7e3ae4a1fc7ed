// SPDX-License-Identifier: Apache-2.0
// numpy's .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), in C order: read into
// memory, mapped as views, and written.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/file_view.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/tensor/tensor.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
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

/// The most float32 values that memory can hold.
inline constexpr std::uint64_t npy_most_values =
    static_cast<std::uint64_t>((std::numeric_limits<index_t>::max)()) / sizeof(float);

/// The dictionary of a .npy header, in Python's syntax: exactly the keys descr, fortran_order and shape.
struct npy_header {
    std::string_view descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<index_t>> shape;

    /// What is wrong with `text`, or nullptr if it is such a dictionary.
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

/// numpy's name of an element type; empty for types that are not supported.
template <class T>
inline constexpr std::string_view npy_descr = {};
template <>
inline constexpr std::string_view npy_descr<float> = "<f4";
template <>
inline constexpr std::string_view npy_descr<double> = "<f8";
template <>
inline constexpr std::string_view npy_descr<std::int32_t> = "<i4";
template <>
inline constexpr std::string_view npy_descr<std::int64_t> = "<i8";
template <>
inline constexpr std::string_view npy_descr<std::uint8_t> = "|u1";
inline constexpr std::string_view npy_half = "<f2";

/// The elements of an array in the bytes of a .npy: their type, shape and bytes.
struct npy_image {
    std::string_view descr;
    std::vector<index_t> shape;
    std::span<const std::byte> data;
};

/// Parses `file`, the bytes of a .npy of version 1 or 2 with elements of one of the `allowed` types in C order, exactly
/// as long as its header says. Messages begin with `where` (a path).
inline result<npy_image> parse_npy_image(std::span<const std::byte> file, std::string_view where,
                                         std::initializer_list<std::string_view> allowed) {
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

    npy_header header;
    if (const char* why = header.parse({reinterpret_cast<const char*>(file.data()) + begin, length})) return bad(why);
    if (std::find(allowed.begin(), allowed.end(), header.descr) == allowed.end()) {
        std::string types;
        for (const std::string_view type : allowed) types += cat(types.empty() ? "'" : " and '", type, "'");
        return bad(cat("descr ", quote(header.descr, 40), " is not supported; allowed: ", types), errc::unsupported);
    }
    if (*header.fortran_order)
        return bad("is in Fortran order; allowed: C order, which numpy.ascontiguousarray gives", errc::unsupported);

    const std::span<const std::byte> data = file.subspan(begin + length);
    const auto each = static_cast<std::uint64_t>(header.descr[2] - '0');
    std::uint64_t count = 1; // of the non-zero extents, so that no product that a reader computes can overflow
    bool empty = false;
    for (const index_t n : *header.shape) {
        const auto extent = static_cast<std::uint64_t>(n);
        if (extent != 0 && count > npy_most_values / extent) return bad("shape has more elements than memory can hold");
        if (extent != 0) count *= extent;
        empty = empty || extent == 0;
    }
    const std::uint64_t need = empty ? 0 : count * each;
    if (need != data.size())
        return bad(cat("the shape needs ", need, " bytes of data, but ", data.size(), " follow the header"));
    return npy_image{header.descr, std::move(*header.shape), data};
}

/// Copies the elements of an image as T; those of npy_half become float.
template <class T>
void copy_npy(const npy_image& image, T* to) {
    if (image.descr != npy_half) {
        if (!image.data.empty()) std::memcpy(to, image.data.data(), image.data.size());
    } else if constexpr (std::is_same_v<T, float>) {
        for (std::size_t i = 0; i < image.data.size() / 2; ++i) {
            std::uint16_t bits = 0;
            std::memcpy(&bits, image.data.data() + 2 * i, 2);
            to[i] = half_to_float(bits);
        }
    }
}

/// The beginning of a .npy file; the data then begin at a multiple of 64.
inline std::string npy_head(std::string_view descr, std::string_view shape) {
    std::string dictionary = cat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", shape, "), }");
    dictionary.resize((10 + dictionary.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
    dictionary += '\n';
    std::string head("\x93NUMPY\x01\x00", 8);
    head += static_cast<char>(dictionary.size() & 0xFFU);
    head += static_cast<char>(dictionary.size() >> 8);
    return head + dictionary;
}

/// Parses an array of T from the types that T is read from.
template <class T>
result<npy_image> parse_npy_as(std::span<const std::byte> file, std::string_view where) {
    if constexpr (std::is_same_v<T, float>)
        return parse_npy_image(file, where, {npy_descr<float>, npy_half});
    else
        return parse_npy_image(file, where, {npy_descr<T>});
}

template <class T>
inline constexpr bool require_npy_type = [] {
    static_assert(!npy_descr<T>.empty(),
                  "apriori: npy: the elements are float, double, std::int32_t, std::int64_t or std::uint8_t");
    return true;
}();

} // namespace detail

/// The array in `file`, the bytes of a .npy of version 1 or 2 with little-endian float32 or float16 in C order, exactly
/// as long as its header says. Messages begin with `where` (a path).
inline result<npy_array> parse_npy(std::span<const std::byte> file, std::string_view where) {
    auto image = detail::parse_npy_as<float>(file, where);
    if (!image.ok()) return image.error();
    const std::size_t each = image->descr == detail::npy_half ? 2 : 4;
    npy_array out{std::move(image->shape), std::vector<float>(image->data.size() / each)};
    detail::copy_npy(*image, out.values.data());
    return out;
}

/// The array of T in the bytes of a .npy as a view of shape E, in place; otherwise as parse_npy.
template <class T, class E>
result<view<const T, E>> view_npy(std::span<const std::byte> file, std::string_view where) {
    static_assert(detail::require_npy_type<T>);
    const auto image = detail::parse_npy_image(file, where, {detail::npy_descr<T>});
    if (!image.ok()) return image.error();
    return detail::view_of_bytes<T, E>(image->data, image->shape, where);
}

/// The array in a file; see parse_npy.
inline result<npy_array> read_npy(const std::filesystem::path& path) {
    const auto file = mapped_file::open(path);
    if (!file.ok()) return file.error();
    auto array = parse_npy(file->bytes(), path.string());
    if (!array.ok()) return explained(array.error(), path, file->bytes());
    return array;
}

/// The array in a file as a tensor of shape E. The file must have elements of type T; for float also float16.
template <class T, class E>
result<tensor<T, E>> read_npy(const std::filesystem::path& path) {
    static_assert(detail::require_npy_type<T>);
    const auto file = mapped_file::open(path);
    if (!file.ok()) return file.error();
    const auto image = detail::parse_npy_as<T>(file->bytes(), path.string());
    if (!image.ok()) return explained(image.error(), path, file->bytes());
    const auto shape = detail::shape_as<E>(image->shape, path.string());
    if (!shape.ok()) return shape.error();
    tensor<T, E> x(*shape);
    if (x.data() == nullptr) return failure{errc::io_error, cat(path.string(), ": no memory for its array")};
    detail::copy_npy(*image, x.data());
    return x;
}

/// The array of T in a file, mapped and not copied; see view_npy.
template <class T, class E>
result<mapped_array<T, E>> map_npy(const std::filesystem::path& path) {
    auto file = mapped_file::open(path);
    if (!file.ok()) return file.error();
    const auto elements = view_npy<T, E>(file->bytes(), path.string());
    if (!elements.ok()) return explained(elements.error(), path, file->bytes());
    return mapped_array<T, E>(std::move(*file), *elements);
}

/// Writes `values` as float32 [rows, cols] to a .npy file, whole or not at all. shape_mismatch unless
/// there are rows * cols values.
inline result<void> write_npy(const std::filesystem::path& path, index_t rows, index_t cols,
                              std::span<const float> values) {
    const auto count = static_cast<index_t>(values.size());
    constexpr auto most = static_cast<index_t>(detail::npy_most_values); // limits the other extent, too, if one is zero
    const bool fits = rows >= 0 && cols >= 0 && rows <= most && cols <= most &&
                      (rows == 0 || cols == 0 ? count == 0 : count % cols == 0 && count / cols == rows);
    if (!fits)
        return failure{errc::shape_mismatch,
                       cat(path.string(), ": ", count, " values are not ", rows, " rows of ", cols)};
    auto file = atomic_file::create(path);
    if (!file.ok()) return file.error();
    if (auto done = file->write(detail::npy_head(detail::npy_descr<float>, cat(rows, ", ", cols))); !done.ok())
        return done;
    if (auto done = file->write(std::as_bytes(values)); !done.ok()) return done;
    return file->commit();
}

/// Writes a view of any layout to a .npy file, whole or not at all. shape_mismatch if an extent is negative.
template <class T, class E, layout L>
result<void> write_npy(const std::filesystem::path& path, const view<T, E, L>& x) {
    using element = std::remove_const_t<T>;
    static_assert(detail::require_npy_type<element>);
    std::string shape;
    for (int i = 0; i < E::rank; ++i) {
        if (x.ext()[i] < 0)
            return failure{errc::shape_mismatch, cat(path.string(), ": the view has a negative extent")};
        shape += cat(x.ext()[i], E::rank == 1 ? "," : i + 1 < E::rank ? ", " : ""); // (3,) is a tuple
    }
    const std::size_t count = x.ext().bytes(1);
    if (count > 0 && x.data == nullptr)
        return failure{errc::invalid_argument, cat(path.string(), ": the view has no memory")};
    auto file = atomic_file::create(path);
    if (!file.ok()) return file.error();
    if (auto done = file->write(detail::npy_head(detail::npy_descr<element>, shape)); !done.ok()) return done;
    if constexpr (L == layout::dense) {
        if (auto done = file->write(std::as_bytes(std::span(x.data, count))); !done.ok()) return done;
    } else {
        std::vector<element> some((std::min)(count, std::size_t{1} << 14)); // written at a time
        auto next = x.begin();
        for (std::size_t left = count; left > 0;) {
            const std::size_t n = (std::min)(left, some.size());
            for (std::size_t i = 0; i < n; ++i, ++next) some[i] = *next;
            if (auto done = file->write(std::as_bytes(std::span(some.data(), n))); !done.ok()) return done;
            left -= n;
        }
    }
    return file->commit();
}
/// The same for a tensor.
template <class T, class E, class S>
result<void> write_npy(const std::filesystem::path& path, const tensor<T, E, S>& x) {
    return write_npy(path, x.view());
}

} // namespace apriori::io
APRIORI_END_EXACT_MATH
