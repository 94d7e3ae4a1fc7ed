// SPDX-License-Identifier: Apache-2.0
// Tensors that own their memory: zeroed, moved but never copied by accident.
#pragma once

#include "apriori/tensor/host_buffer.hpp"
#include "apriori/tensor/view.hpp"

#include <cstring>

namespace apriori {

/// A row-major tensor in host memory, zero at first. As an operand of an expression it is its view. Where there was
/// no memory data() is null; then, and where an extent is negative, flat() is empty and an assignment refuses it.
template <class T, class E>
class tensor {
public:
    using apriori_expression = void;
    using extents_type = E;

    explicit tensor(E shape = {}) : shape_(shape), buffer_(shape.bytes(sizeof(T))) {
        if (!buffer_.empty()) std::memset(buffer_.data(), 0, buffer_.size());
    }

    T* data() noexcept { return reinterpret_cast<T*>(buffer_.data()); }
    const T* data() const noexcept { return reinterpret_cast<const T*>(buffer_.data()); }
    const E& ext() const noexcept { return shape_; }
    index_t size() const noexcept { return shape_.size(); }

    apriori::view<T, E> view() noexcept { return {data(), shape_}; }
    apriori::view<const T, E> view() const noexcept { return {data(), shape_}; }
    std::span<T> flat() noexcept { return {data(), buffer_.size() / sizeof(T)}; }
    std::span<const T> flat() const noexcept { return {data(), buffer_.size() / sizeof(T)}; }

private:
    E shape_;
    host_buffer buffer_;
};

template <class T>
inline constexpr bool is_tensor = false;
template <class T, class E>
inline constexpr bool is_tensor<tensor<T, E>> = true;

} // namespace apriori
