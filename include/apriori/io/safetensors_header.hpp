// SPDX-License-Identifier: Apache-2.0
// The header of a safetensors image (https://github.com/huggingface/safetensors#format): 8 bytes length, JSON, data.
// Nothing in it is trusted before it has been checked against the image.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/tensor_source.hpp"
#include "apriori/io/json.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace apriori::io {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian; so must the machine be");

/// The types of stored elements, under safetensors' names.
enum class element_type : std::uint8_t { f32, f16, bf16, f64, i64, i32, u8, boolean };

/// An element type's name in safetensors, and its size.
struct element_traits {
    element_type type;
    std::string_view name;
    std::size_t bytes;
};

/// In the order of element_type.
inline constexpr std::array<element_traits, 8> element_types{{{element_type::f32, "F32", 4},
                                                              {element_type::f16, "F16", 2},
                                                              {element_type::bf16, "BF16", 2},
                                                              {element_type::f64, "F64", 8},
                                                              {element_type::i64, "I64", 8},
                                                              {element_type::i32, "I32", 4},
                                                              {element_type::u8, "U8", 1},
                                                              {element_type::boolean, "BOOL", 1}}};

constexpr const element_traits& traits(element_type t) noexcept { return element_types[static_cast<std::size_t>(t)]; }

/// A tensor of an image: its bytes are data[begin, end), where data is what follows the header.
struct stored_tensor {
    std::string name;
    element_type type = element_type::f32;
    int rank = 0;
    std::array<index_t, tensor_info::max_rank> dims{};
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// A checked header.
struct safetensors_header {
    std::vector<stored_tensor> tensors; ///< in the order of their data
    std::vector<std::pair<std::string, std::string>> metadata;
    std::size_t data_offset = 0; ///< offset of the data in the image
};

/// Why `name` cannot be a tensor's name, or nullptr if it can.
inline const char* bad_tensor_name(std::string_view name) noexcept {
    if (name.empty()) return "is empty";
    if (name.size() > 1024) return "is longer than 1024 bytes";
    if (name == "__metadata__") return "is reserved";
    if (!valid_utf8(name)) return "is not UTF-8";
    if (has_control(name)) return "holds a control character";
    return nullptr;
}

namespace detail {

/// Reads one tensor's entry; the caller adds file and tensor to the message.
inline result<stored_tensor> parse_stored_tensor(const std::string& name, const json& entry, std::size_t data_size) {
    const auto bad = [](std::string what) { return failure{errc::bad_format, std::move(what)}; };
    if (!entry.is(json_kind::object)) return bad(cat("its entry is ", shown(entry), ", not an object"));
    for (const auto& [key, value] : entry.items())
        if (key != "dtype" && key != "shape" && key != "data_offsets")
            return bad(cat("unknown field ", quote(key), "; allowed: dtype, shape, data_offsets"));
    const json dtype = entry["dtype"], shape = entry["shape"], offsets = entry["data_offsets"];
    const auto extents = shape.items(), ends = offsets.items();
    if (!dtype.is(json_kind::string)) return bad("dtype is missing or not text");
    if (!shape.is(json_kind::array)) return bad("shape is missing or not an array");
    if (!offsets.is(json_kind::array) || ends.size() != 2) return bad("data_offsets is missing or not an array of two");

    stored_tensor t;
    t.name = name;
    const std::string text = dtype.string();
    const auto known =
        std::find_if(element_types.begin(), element_types.end(), [&](const auto& e) { return e.name == text; });
    if (known == element_types.end()) {
        std::string allowed;
        for (const auto& e : element_types) allowed += cat(allowed.empty() ? "" : ", ", e.name);
        return failure{errc::unsupported, cat("dtype ", quote(text, 20), " is not supported; allowed: ", allowed)};
    }
    t.type = known->type;

    if (extents.size() > tensor_info::max_rank)
        return failure{errc::unsupported,
                       cat("has ", extents.size(), " dimensions; allowed: at most ", tensor_info::max_rank)};
    // Counts non-zero extents, as stored or as float32, so that no product that a reader computes can overflow.
    const std::uint64_t most =
        static_cast<std::uint64_t>((std::numeric_limits<index_t>::max)()) / (std::max<std::size_t>)(known->bytes, 4);
    std::uint64_t count = 1;
    bool empty = false;
    for (const json_item& extent : extents) {
        const auto n = extent.value.whole();
        if (!n) return bad(cat("shape holds ", shown(extent.value), "; allowed: integers from 0"));
        if (*n != 0 && count > most / *n)
            return bad(cat("shape ", shown(shape), " has more elements than memory can hold"));
        if (*n != 0) count *= *n;
        empty = empty || *n == 0;
        t.dims[static_cast<std::size_t>(t.rank++)] = static_cast<index_t>(*n);
    }
    const std::uint64_t size = empty ? 0 : count * known->bytes;

    const auto begin = ends[0].value.whole(), end = ends[1].value.whole();
    if (!begin || !end) return bad(cat("data_offsets ", shown(offsets), " are not integers from 0"));
    if (*begin > *end || *end > data_size)
        return bad(
            cat("data_offsets ", shown(offsets), " do not lie within the ", data_size, " bytes of data in the file"));
    if (*end - *begin != size)
        return bad(cat("data_offsets ", shown(offsets), " span ", *end - *begin, " bytes, but dtype ", text,
                       " and shape ", shown(shape), " need ", size));
    t.begin = static_cast<std::size_t>(*begin);
    t.end = static_cast<std::size_t>(*end);
    return t;
}

} // namespace detail

/// Parses and checks the header of `image`, a whole safetensors file; messages begin with `where` (a path). bad_format
/// for anything that is damaged or contradicts the size of the image, unsupported for other dtypes or a rank above 8.
inline result<safetensors_header> parse_safetensors_header(std::span<const std::byte> image, std::string_view where) {
    constexpr std::uint64_t max_header = 100'000'000; // the limit of the reference implementation
    const auto bad = [&](const std::string& what) { return failure{errc::bad_format, cat(where, ": ", what)}; };
    if (image.size() < 8)
        return bad(
            cat("too short for a safetensors file: ", image.size(), " bytes, the header's length alone takes 8"));
    std::uint64_t length = 0;
    std::memcpy(&length, image.data(), 8);
    if (length > max_header)
        return bad(
            cat("header length ", length, " is over the limit of ", max_header, " bytes; is this a safetensors file?"));
    if (length > image.size() - 8)
        return bad(cat("header length ", length, " exceeds the ", image.size() - 8,
                       " bytes that follow; the file is truncated or no safetensors file"));
    const std::string_view text{reinterpret_cast<const char*>(image.data()) + 8, to_size(length)};
    if (text.empty() || text.front() != '{')
        return bad("the header does not begin with '{'; is this a safetensors file?");
    const auto parsed = parse_json(text, cat(where, ": header"));
    if (!parsed.ok()) return parsed.error();

    safetensors_header header;
    header.data_offset = to_size(8 + length);
    const std::size_t data_size = image.size() - header.data_offset;
    for (const auto& [name, value] : parsed->items()) {
        if (name == "__metadata__") {
            if (!value.is(json_kind::object)) return bad(cat("__metadata__ is ", shown(value), ", not an object"));
            for (const auto& [key, entry] : value.items()) {
                if (!entry.is(json_kind::string))
                    return bad(cat("__metadata__ ", quote(key), " is ", shown(entry), ", not text"));
                header.metadata.emplace_back(key, entry.string());
            }
            continue;
        }
        if (const char* why = bad_tensor_name(name)) return bad(cat("the tensor name ", quote(name), " ", why));
        auto tensor = detail::parse_stored_tensor(name, value, data_size);
        if (!tensor.ok())
            return failure{tensor.error().code, cat(where, ": tensor ", quote(name), ": ", tensor.error().message)};
        header.tensors.push_back(std::move(*tensor));
    }
    std::sort(header.tensors.begin(), header.tensors.end(), [](const stored_tensor& a, const stored_tensor& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::size_t reached = 0;
    for (const stored_tensor& t : header.tensors) {
        if (t.begin < reached)
            return bad(cat("tensor ", quote(t.name), " begins at byte ", t.begin,
                           ", inside the tensor before it, which ends at ", reached));
        if (t.begin > reached)
            return bad(
                cat("bytes ", reached, " to ", t.begin, " before tensor ", quote(t.name), " belong to no tensor"));
        reached = t.end;
    }
    if (reached != data_size) return bad(cat("the last ", data_size - reached, " bytes of data belong to no tensor"));
    return header;
}

} // namespace apriori::io
