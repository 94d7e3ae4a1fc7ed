// SPDX-License-Identifier: Apache-2.0
// A safetensors image in memory as a tensor source: read in pieces, which are converted to float32.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/tensor_source.hpp"
#include "apriori/io/file_view.hpp"
#include "apriori/io/safetensors_header.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// Converts `out.size()` elements of type `type` at `from` (any alignment) to float32. Integers and F64 are rounded
/// to nearest; a BOOL is 0 or 1.
inline void convert_elements(element_type type, const std::byte* from, std::span<float> out) noexcept {
    const auto each = [&]<class T>(T, auto&& value) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            T x;
            std::memcpy(&x, from + i * sizeof(T), sizeof(T));
            out[i] = value(x);
        }
    };
    const auto cast = [](auto x) { return static_cast<float>(x); };
    switch (type) {
    case element_type::f32:
        if (!out.empty()) std::memcpy(out.data(), from, out.size_bytes());
        return;
    case element_type::f16:
        return each(std::uint16_t{}, half_to_float);
    case element_type::bf16:
        return each(std::uint16_t{}, bfloat16_to_float);
    case element_type::f64:
        return each(double{}, cast);
    case element_type::i64:
        return each(std::int64_t{}, cast);
    case element_type::i32:
        return each(std::int32_t{}, cast);
    case element_type::u8:
        return each(std::uint8_t{}, cast);
    case element_type::boolean:
        return each(std::uint8_t{}, [](std::uint8_t x) { return x != 0 ? 1.0F : 0.0F; });
    }
}

namespace detail {

/// The stored type of elements of type T; false if there is none.
template <class T>
inline constexpr bool stored_as = false;
template <>
inline constexpr element_type stored_as<float> = element_type::f32;
template <>
inline constexpr element_type stored_as<double> = element_type::f64;
template <>
inline constexpr element_type stored_as<std::int64_t> = element_type::i64;
template <>
inline constexpr element_type stored_as<std::int32_t> = element_type::i32;
template <>
inline constexpr element_type stored_as<std::uint8_t> = element_type::u8;

} // namespace detail

/// The tensors of a safetensors image in memory, which it does not own. A tensor_source; tensors
/// are in the order of their data.
class safetensors_view {
public:
    /// Checks the whole header (see parse_safetensors_header); messages begin with `where`.
    static result<safetensors_view> parse(std::span<const std::byte> image, std::string_view where) {
        auto header = parse_safetensors_header(image, where);
        if (!header.ok()) return header.error();
        return safetensors_view(std::move(*header), image);
    }

    static constexpr bool concurrent_reads() noexcept { return true; }
    std::size_t size() const noexcept { return tensors_.size(); }

    tensor_info info(std::size_t i) const noexcept { return {tensors_[i].name, tensors_[i].rank, tensors_[i].dims}; }

    /// Reads elements first .. first + out.size() of tensor i as float32.
    status read(std::size_t i, std::int64_t first, std::span<float> out) const noexcept {
        if (i >= size())
            return status::invalid("a safetensors file has no tensor of this index", static_cast<std::int64_t>(i),
                                   static_cast<std::int64_t>(size()));
        const stored_tensor& t = tensors_[i];
        const std::size_t each = traits(t.type).bytes;
        const std::size_t count = (t.end - t.begin) / each;
        if (first < 0 || static_cast<std::uint64_t>(first) > count ||
            out.size() > count - static_cast<std::size_t>(first))
            return status::invalid("read beyond the end of a tensor", first, static_cast<std::int64_t>(count));
        convert_elements(t.type, data_.data() + t.begin + static_cast<std::size_t>(first) * each, out);
        return {};
    }

    /// The index of the tensor called `name`; nullopt if there is none.
    std::optional<std::size_t> find(std::string_view name) const noexcept {
        const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                         [&](std::size_t i, std::string_view n) { return tensors_[i].name < n; });
        if (at == by_name_.end() || tensors_[*at].name != name) return std::nullopt;
        return *at;
    }

    /// The stored type of tensor i.
    element_type dtype(std::size_t i) const noexcept { return tensors_[i].type; }

    /// The bytes of tensor i as stored, little-endian, with any alignment.
    std::span<const std::byte> bytes(std::size_t i) const noexcept {
        return data_.subspan(tensors_[i].begin, tensors_[i].end - tensors_[i].begin);
    }

    /// The tensor called `name` as a view of shape E of the image, which must outlive it. not_found; unsupported if it
    /// is stored as another type than T or not aligned for T; an error for another shape.
    template <class T, class E>
    result<view<const T, E>> view_as(std::string_view name) const {
        constexpr auto type = detail::stored_as<T>;
        static_assert(std::is_same_v<decltype(type), const element_type>,
                      "apriori: view_as: the elements are float, double, std::int64_t, std::int32_t or std::uint8_t");
        const std::string where = cat("tensor ", quote(name));
        const auto i = find(name);
        if (!i) return failure{errc::not_found, cat(where, ": is not in the file")};
        if (dtype(*i) != type)
            return failure{errc::unsupported,
                           cat(where, ": is stored as ", traits(dtype(*i)).name, "; allowed: ", traits(type).name)};
        return detail::view_of_bytes<T, E>(bytes(*i), std::span(tensors_[*i].dims.data(), to_size(tensors_[*i].rank)),
                                           where);
    }

    /// The file's text entries, sorted by key.
    const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept { return metadata_; }

private:
    safetensors_view(safetensors_header header, std::span<const std::byte> image)
        : tensors_(std::move(header.tensors)),
          by_name_(tensors_.size()),
          metadata_(std::move(header.metadata)),
          data_(image.subspan(header.data_offset)) {
        std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
        std::sort(by_name_.begin(), by_name_.end(),
                  [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
    }

    std::vector<stored_tensor> tensors_;
    std::vector<std::size_t> by_name_;
    std::vector<std::pair<std::string, std::string>> metadata_;
    std::span<const std::byte> data_;
};

static_assert(tensor_source<safetensors_view>);

} // namespace apriori::io
APRIORI_END_EXACT_MATH
