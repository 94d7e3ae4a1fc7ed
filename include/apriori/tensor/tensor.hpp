// SPDX-License-Identifier: Apache-2.0
// Tensors that own their memory: aligned for any vector unit, zeroed, moved but never copied by accident.
#pragma once

#include "apriori/tensor/view.hpp"

#include <cstring>
#include <memory>
#include <new>

namespace apriori {

/// Alignment of every buffer of the library, in bytes: a cache line, and the widest vector there is.
inline constexpr std::size_t buffer_alignment = 64;

struct aligned_delete {
    void operator()(std::byte* p) const noexcept { ::operator delete (p, std::align_val_t{buffer_alignment}); }
};

/// Bytes on the host, aligned to buffer_alignment; empty() after an allocation that failed.
class host_buffer {
public:
    host_buffer() = default;
    explicit host_buffer(std::size_t bytes)
        : bytes_(static_cast<std::byte*>(
              ::operator new (bytes == 0 ? 1 : bytes, std::align_val_t{buffer_alignment}, std::nothrow))),
          size_(bytes_ ? bytes : 0) {}

    std::byte* data() const noexcept { return bytes_.get(); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return bytes_ == nullptr; }
    std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

private:
    std::unique_ptr<std::byte[], aligned_delete> bytes_;
    std::size_t size_ = 0;
};

/// A row-major tensor in host memory, zero at first. As an operand of an expression it is its view.
template <class T, class E>
class tensor {
public:
    using apriori_expression = void;
    using extents_type = E;

    explicit tensor(E shape = {}) : shape_(shape), buffer_(static_cast<std::size_t>(shape.size()) * sizeof(T)) {
        if (!buffer_.empty()) std::memset(buffer_.data(), 0, buffer_.size());
    }

    T* data() noexcept { return reinterpret_cast<T*>(buffer_.data()); }
    const T* data() const noexcept { return reinterpret_cast<const T*>(buffer_.data()); }
    const E& ext() const noexcept { return shape_; }
    index_t size() const noexcept { return shape_.size(); }

    apriori::view<T, E> view() noexcept { return {data(), shape_}; }
    apriori::view<const T, E> view() const noexcept { return {data(), shape_}; }
    std::span<T> flat() noexcept { return {data(), static_cast<std::size_t>(size())}; }
    std::span<const T> flat() const noexcept { return {data(), static_cast<std::size_t>(size())}; }

private:
    E shape_;
    host_buffer buffer_;
};

template <class T>
inline constexpr bool is_tensor = false;
template <class T, class E>
inline constexpr bool is_tensor<tensor<T, E>> = true;

} // namespace apriori
