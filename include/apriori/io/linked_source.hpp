// SPDX-License-Identifier: Apache-2.0
// Weights linked into the program: a safetensors image in a constant array or a section, read without a file system.
#pragma once

#include "apriori/io/safetensors_view.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace apriori::io {

/// The tensors of a safetensors image that is part of the program, or otherwise in memory while it is used. Only names
/// and shapes are copied. Messages begin with `name`. The result is a tensor_source.
inline result<safetensors_view> linked_source(std::span<const std::byte> image,
                                              std::string_view name = "linked weights") {
    return safetensors_view::parse(image, name);
}

/// The same for an array as `xxd -i` writes it, or for the bytes between two symbols of a section.
inline result<safetensors_view> linked_source(std::span<const unsigned char> image,
                                              std::string_view name = "linked weights") {
    return linked_source(std::as_bytes(image), name);
}

} // namespace apriori::io
