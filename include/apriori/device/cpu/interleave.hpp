// SPDX-License-Identifier: Apache-2.0
// Element-wise programs whose results are written interleaved, such as the parts of complex numbers.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"
#include "apriori/expr/interleave.hpp"
#include "apriori/tensor/host_buffer.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// to[2 i] = a[i], to[2 i + 1] = b[i].
template <class Arch, class T>
requires(simd<Arch, T>::native && simd<Arch, T>::size > 1)
APRIORI_INLINE void store_zipped(T* to, simd<Arch, T> a, simd<Arch, T> b) noexcept {
    constexpr int L = simd<Arch, T>::size;
    [&]<int... Is>(std::integer_sequence<int, Is...>) __attribute__((always_inline)) {
        using batch = typename simd<Arch, T>::batch;
        constexpr int h = L / 2;
        store(to, simd<Arch, T>(batch(__builtin_shufflevector(a.v.data, b.v.data, (Is / 2 + Is % 2 * L)...))));
        store(to + L, simd<Arch, T>(batch(__builtin_shufflevector(a.v.data, b.v.data, (h + Is / 2 + Is % 2 * L)...))));
    }(std::make_integer_sequence<int, L>{});
}

/// Elements of a row from column `first` on, contiguous.
template <class T>
struct block_of {
    using value = computed_t<T>;
    const T* p;
    index_t first;
    block_of row(index_t) const noexcept { return *this; }
    template <class V>
    APRIORI_INLINE auto at(index_t c, V) const noexcept {
        return lanes<el::value_beside<V, value>>::load(p + (c - first));
    }
};

/// A block of columns that are written together, and contiguous copies of the operands with gaps that they read: one
/// copy each, however often programs read it, as those of complex products do.
template <int Operands>
struct operand_blocks {
    static constexpr index_t size = 256;

    index_t row, first, count;
    int found = 0;
    const void* from[to_size(Operands + 1)];
    index_t strides[to_size(Operands + 1)];
    alignas(buffer_alignment) std::byte memory[to_size(Operands + 1)][Operands > 0 ? size * 8 : 1];

    template <class V, class T>
    APRIORI_NOINLINE const T* bring(const T* p, index_t stride) noexcept {
        p += first * stride;
        int i = 0;
        while (i < found && (from[i] != p || strides[i] != stride)) ++i;
        T* const to = reinterpret_cast<T*>(memory[i]);
        if (i < found) return to;
        from[found] = p, strides[found] = stride, ++found;
        const index_t n = count;
        index_t c = 0;
        if constexpr (std::is_same_v<T, typename lanes<V>::number>)
            if (stride == 2)
                for (constexpr index_t L = lanes<V>::count; c + L <= n; c += L)
                    store(to + c, lanes<V>::load_strided(p + 2 * c, 2));
        for (; c < n; ++c) to[c] = p[c * stride];
        return to;
    }
};

/// Every second element of a row, such as the real parts of complex numbers.
template <class T>
struct every_second_of {
    using value = computed_t<T>;
    const T* p;
    every_second_of row(index_t) const noexcept { return *this; }
    template <class V>
    APRIORI_INLINE auto at(index_t c, V) const noexcept {
        return lanes<el::value_beside<V, value>>::load_strided(p + 2 * c, 2);
    }
};

/// How many operands of a program have gaps, and whether all of these can be read in pairs.
template <class P>
inline constexpr int operands_with_gaps = 0;
template <class T, class Map>
inline constexpr int operands_with_gaps<el::strided_of<T, Map>> = 1;
template <class F, class... P>
inline constexpr int operands_with_gaps<el::apply<F, P...>> = (0 + ... + operands_with_gaps<P>);

template <class P>
bool in_pairs(const P&) noexcept {
    return true;
}
template <class T, class Map>
bool in_pairs(const el::strided_of<T, Map>& p) noexcept {
    return p.stride == 2;
}
template <class F, class... P>
bool in_pairs(const el::apply<F, P...>& p) noexcept {
    return el::unpack([](const P&... part) { return (in_pairs(part) && ...); }, p.programs);
}

/// A leaf without gaps: one with gaps becomes its contiguous copy in a block.
template <class V, class P>
P without_gaps(const P& p, const auto&) noexcept {
    return p;
}
template <class V, class T, class Map, int N>
block_of<T> without_gaps(const el::strided_of<T, Map>& p, operand_blocks<N>& blocks) noexcept {
    return {blocks.template bring<V>(p.p + p.map(blocks.row), p.stride), blocks.first};
}

/// The same leaf for row r, read in place, in pairs.
template <class P>
P pairs_of(const P& p, index_t) noexcept {
    return p;
}
template <class T, class Map>
every_second_of<T> pairs_of(const el::strided_of<T, Map>& p, index_t r) noexcept {
    return {p.p + p.map(r)};
}

/// Writes columns c .. last of a row of programs.
template <class V, class T, class... Row>
APRIORI_NOINLINE void interleave_block(T* to, index_t stride, index_t c, index_t last, const Row&... row) noexcept {
    constexpr index_t L = lanes<V>::count, n = sizeof...(Row);
    T values[to_size(n)][to_size(L)];
    const auto one_by_one = [&]<class W>(W) {
        T* next = values[0];
        ((store(next, row.at(c, W{})), next += L), ...);
        for (index_t i = 0; i < lanes<W>::count; ++i)
            for (index_t k = 0; k < n; ++k) to[(c + i) * stride + k] = values[k][i];
    };
    if constexpr (requires { store_zipped(to, row.at(c, V{})...); })
        if (stride == n)
            for (; c + L <= last; c += L) store_zipped(to + n * c, row.at(c, V{})...);
    if constexpr (L > 1)
        for (; c + L <= last; c += L) one_by_one(V{});
    for (; c < last; ++c) one_by_one(one_lane_t<V>{});
}

template <class Arch, executor X, class Out, class... P>
void run(X& x, const ops::map_interleaved<Out, P...>& op) {
    using V = value_for<Arch, P...>;
    using blocks = operand_blocks<(0 + ... + operands_with_gaps<P>)>;
    const bool pairs = el::unpack([](const P&... p) { return (in_pairs(p) && ...); }, op.programs);
    const index_t parts = ceil_div(op.cols, blocks::size);
    const double cost = 16 * operations(sizeof...(P), op.rows, op.cols);
    parallel_ranges(x, op.rows * parts, cost, [&](index_t first, index_t last) {
        for (index_t i = first; i < last; ++i) {
            const index_t r = i / parts, c = i % parts * blocks::size, end = (std::min)(c + blocks::size, op.cols);
            const auto write = [&](const auto&... row) {
                interleave_block<V>(op.out.row(r), op.stride, c, end, row...);
            };
            if (pairs) {
                const auto leaf = [r](const auto& l) { return pairs_of(l, r); };
                el::unpack([&](const P&... p) { write(el::with_leaves(p, leaf).row(r)...); }, op.programs);
                continue;
            }
            blocks operands;
            operands.row = r, operands.first = c, operands.count = end - c;
            const auto leaf = [&](const auto& l) { return without_gaps<V>(l, operands); };
            el::unpack([&](const P&... p) { write(el::with_leaves(p, leaf).row(r)...); }, op.programs);
        }
    });
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
