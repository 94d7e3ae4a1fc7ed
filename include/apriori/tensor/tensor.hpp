// SPDX-License-Identifier: Apache-2.0
// Tensors that own their memory, on the heap or inside the object.
#pragma once

#include "apriori/tensor/host_buffer.hpp"
#include "apriori/tensor/view.hpp"

#include <array>
#include <cstring>

namespace apriori {

struct on_heap {};  ///< aligned to buffer_alignment; moved, never copied implicitly
struct on_stack {}; ///< inside the tensor, with a static shape; copied like a struct, and may be a constant

namespace detail {

template <class T, class E, class Storage>
class tensor_memory;

template <class T, class E>
class tensor_memory<T, E, on_heap> {
public:
    explicit tensor_memory(const E& shape) : shape_(shape), buffer_(shape.bytes(sizeof(T))) {
        if (!buffer_.empty()) std::memset(buffer_.data(), 0, buffer_.size());
    }
    const E& ext() const noexcept { return shape_; }
    T* data() noexcept { return reinterpret_cast<T*>(buffer_.data()); }
    const T* data() const noexcept { return reinterpret_cast<const T*>(buffer_.data()); }
    std::size_t count() const noexcept { return buffer_.size() / sizeof(T); }

private:
    E shape_;
    host_buffer buffer_;
};

template <class T, class E>
class tensor_memory<T, E, on_stack> {
    static_assert(E::is_static, "apriori: a tensor on the stack has a static shape");
    static constexpr std::size_t size = E{}.bytes(1);

public:
    explicit constexpr tensor_memory(const E&) noexcept {}
    constexpr E ext() const noexcept { return {}; }
    constexpr T* data() noexcept { return elements_.data(); }
    constexpr const T* data() const noexcept { return elements_.data(); }
    constexpr std::size_t count() const noexcept { return size; }

private:
    std::array<T, size> elements_{};
};

} // namespace detail

/// A row-major tensor in host memory, initialised to zero. As an operand of an expression it is its view. If there was
/// no memory, data() is null; then, and if an extent is negative, flat() is empty and an assignment to it is an error.
template <class T, class E, class Storage = on_heap>
class tensor {
public:
    using apriori_expression = void;
    using value_type = T;
    using extents_type = E;
    static constexpr int rank = E::rank;

    explicit constexpr tensor(E shape = {}) : memory_(shape) {}
    /// From a list of its elements, in row-major order: `tensor<float, extents<2, 2>> x({1, 2, 3, 4})`.
    template <std::size_t N>
    explicit constexpr tensor(const T (&elements)[N]) : memory_(E{}) {
        static_assert(E::is_static && E{}.bytes(1) == N, "apriori: tensor: a list has as many elements as the shape");
        std::copy(elements, elements + flat().size(), flat().begin());
    }

    constexpr T* data() noexcept { return memory_.data(); }
    constexpr const T* data() const noexcept { return memory_.data(); }
    constexpr decltype(auto) ext() const noexcept { return memory_.ext(); }
    constexpr index_t size() const noexcept { return ext().size(); }

    constexpr apriori::view<T, E> view() noexcept { return {data(), ext()}; }
    constexpr apriori::view<const T, E> view() const noexcept { return {data(), ext()}; }
    constexpr std::span<T> flat() noexcept { return {data(), memory_.count()}; }
    constexpr std::span<const T> flat() const noexcept { return {data(), memory_.count()}; }

    /// The element at one index for each axis; unchecked.
    constexpr T& operator()(std::convertible_to<index_t> auto... i) noexcept { return view()(i...); }
    constexpr const T& operator()(std::convertible_to<index_t> auto... i) const noexcept { return view()(i...); }
    /// Element i of a tensor of one axis; for more axes, a view of all elements whose first index is i. Unchecked.
    constexpr decltype(auto) operator[](index_t i) noexcept { return view()[i]; }
    constexpr decltype(auto) operator[](index_t i) const noexcept { return view()[i]; }
    constexpr T* begin() noexcept { return flat().data(); }
    constexpr T* end() noexcept { return flat().data() + flat().size(); }
    constexpr const T* begin() const noexcept { return flat().data(); }
    constexpr const T* end() const noexcept { return flat().data() + flat().size(); }

private:
    detail::tensor_memory<T, E, Storage> memory_;
};

template <class T>
inline constexpr bool is_tensor = false;
template <class T, class E, class S>
inline constexpr bool is_tensor<tensor<T, E, S>> = true;

/// True if both have the same shape and equal elements.
template <class T, class E, class S, class U, class F, class R>
constexpr bool operator==(const tensor<T, E, S>& a, const tensor<U, F, R>& b) noexcept {
    return a.view() == b.view();
}
template <class T, class E, class S, class U, class F, layout L>
constexpr bool operator==(const tensor<T, E, S>& a, const view<U, F, L>& b) noexcept {
    return a.view() == b;
}

/// A new tensor with the elements of a view, in row-major order; data() is null if there is no memory.
template <class T, class E, layout L>
tensor<std::remove_const_t<T>, E> clone(const view<T, E, L>& x) {
    tensor<std::remove_const_t<T>, E> copy(x.ext());
    if (copy.data() != nullptr) std::copy(x.begin(), x.end(), copy.begin());
    return copy;
}
template <class T, class E, class S>
tensor<T, E> clone(const tensor<T, E, S>& x) {
    return clone(x.view());
}

} // namespace apriori
