// SPDX-License-Identifier: Apache-2.0
// Shapes: extents known at compile time, mixed with run-time ones (`dyn`), for example for a batch or a sequence.
#pragma once

#include "apriori/core/index.hpp"

#include <array>
#include <cstddef>

namespace apriori {

/// An extent known only at run time.
inline constexpr index_t dyn = -1;

/// The shape of a tensor of rank sizeof...(E), outermost axis first. Each E is a size, or `dyn`. Constructed from only
/// the run-time sizes: `extents<dyn, 2048>(rows)`; without arguments each of them is 1. A negative size is kept, so
/// that an assignment can reject it.
template <index_t... E>
struct extents {
    static constexpr int rank = sizeof...(E);
    static constexpr int dynamic_rank = (0 + ... + (E == dyn ? 1 : 0));
    static constexpr bool is_static = dynamic_rank == 0;
    static constexpr std::array<index_t, sizeof...(E)> static_sizes{E...};

    std::array<index_t, sizeof...(E)> sizes{(E == dyn ? 1 : E)...};

    constexpr extents() = default;

    template <class... Sizes>
    requires(sizeof...(Sizes) == dynamic_rank && dynamic_rank > 0)
    constexpr explicit extents(Sizes... dynamic) {
        const index_t given[]{index_t(dynamic)...};
        const index_t* next = given;
        for (std::size_t i = 0; i < sizes.size(); ++i)
            if (static_sizes[i] == dyn) sizes[i] = *next++;
    }

    constexpr index_t operator[](int axis) const noexcept { return at(sizes, axis); }
    static constexpr index_t fixed(int axis) noexcept { return at(static_sizes, axis); }

    /// The number of elements; meaningless if an extent is negative or the product overflows.
    constexpr index_t size() const noexcept {
        std::size_t n = 1;
        for (index_t s : sizes) n *= std::size_t(s);
        return index_t(n);
    }
    /// The bytes of that many elements of `element` bytes each: 0 if an extent is 0 or negative, and the largest
    /// std::size_t if they are more than memory can hold.
    constexpr std::size_t bytes(std::size_t element) const noexcept {
        std::size_t n = element;
        for (index_t s : sizes)
            if (s < 1) return 0;
        for (index_t s : sizes) {
            if (n > std::size_t(-1) / 2 / std::size_t(s)) return std::size_t(-1);
            n *= std::size_t(s);
        }
        return n;
    }
    /// Extent of the last axis; 1 for a scalar.
    constexpr index_t cols() const noexcept {
        if constexpr (rank == 0)
            return 1;
        else
            return sizes[rank - 1];
    }
    /// Product of all extents but the last: kernels see every tensor as rows by columns.
    constexpr index_t rows() const noexcept {
        index_t n = 1;
        for (int i = 0; i + 1 < rank; ++i) n *= at(sizes, i);
        return n;
    }

    constexpr bool operator==(const extents&) const = default;
};

namespace detail {
/// The index of an axis. A negative one counts from the end, as in NumPy: -1 is the last.
constexpr int axis_of(int axis, int rank) noexcept { return axis < 0 ? axis + rank : axis; }
/// The shape without its first axis: that of x[i].
template <index_t First, index_t... Rest>
constexpr extents<Rest...> tail(const extents<First, Rest...>& e) noexcept {
    extents<Rest...> rest;
    for (std::size_t i = 0; i < sizeof...(Rest); ++i) rest.sizes[i] = e.sizes[i + 1];
    return rest;
}
} // namespace detail

/// True if two shapes of equal rank have equal sizes, including run-time ones.
template <index_t... A, index_t... B>
requires(sizeof...(A) == sizeof...(B))
constexpr bool same_sizes(const extents<A...>& a, const extents<B...>& b) noexcept {
    for (std::size_t i = 0; i < sizeof...(A); ++i)
        if (a.sizes[i] != b.sizes[i]) return false;
    return true;
}

} // namespace apriori
