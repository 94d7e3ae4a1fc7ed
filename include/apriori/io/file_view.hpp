// SPDX-License-Identifier: Apache-2.0
// Arrays in files as views, without copies: the common part of npy and safetensors.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/io/text.hpp"
#include "apriori/tensor/view.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace apriori::io {

namespace detail {

/// Sizes, or the static extents of a shape, as text such as "[3, any]"; run-time extents are "any".
inline std::string shape_text(std::span<const index_t> sizes) {
    std::string out = "[";
    for (const index_t n : sizes) {
        if (out.size() > 1) out += ", ";
        out += n == dyn ? "any" : std::to_string(n);
    }
    return out + "]";
}

/// Sizes from a file as a shape E; an error if they are not those of E.
template <class E>
result<E> shape_as(std::span<const index_t> sizes, std::string_view where) {
    bool fits = std::ssize(sizes) == E::rank;
    E shape;
    for (int i = 0; fits && i < E::rank; ++i) {
        fits = E::fixed(i) == dyn || E::fixed(i) == at(sizes, i);
        at(shape.sizes, i) = at(sizes, i);
    }
    if (fits) return shape;
    return failure{errc::shape_mismatch,
                   cat(where, ": has shape ", shape_text(sizes), "; allowed: ", shape_text(E::static_sizes))};
}

/// The bytes of an array of T with these sizes as a view of shape E; unsupported if they are not aligned to T.
template <class T, class E>
result<view<const T, E>> view_of_bytes(std::span<const std::byte> bytes, std::span<const index_t> sizes,
                                       std::string_view where) {
    const auto shape = shape_as<E>(sizes, where);
    if (!shape.ok()) return shape.error();
    if (std::bit_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0)
        return failure{errc::unsupported, cat(where, ": its data do not begin at a multiple of ", alignof(T),
                                              " bytes, so they cannot be viewed where they are; read them instead")};
    return view<const T, E>(reinterpret_cast<const T*>(bytes.data()), *shape);
}

} // namespace detail

/// An array in a mapped file, which stays mapped as long as this object lives. Move-only; views of
/// it stay valid when it is moved.
template <class T, class E>
class mapped_array {
public:
    mapped_array(mapped_file file, apriori::view<const T, E> elements) : file_(std::move(file)), view_(elements) {}

    apriori::view<const T, E> view() const noexcept { return view_; }
    const T* data() const noexcept { return view_.data; }
    const E& ext() const noexcept { return view_.ext(); }

private:
    mapped_file file_;
    apriori::view<const T, E> view_;
};

} // namespace apriori::io
