// SPDX-License-Identifier: Apache-2.0
// Softmax of rows with one exponential per element and one pass over memory. A row is read in blocks of a few vectors;
// the exponentials of a block are relative to the largest elements so far, lane by lane, and stay in the cache. At the
// end one exponential per block rescales it to the row's largest element (Milakov and Gimelshein 2018, by lanes).
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"
#include "apriori/expr/norms.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The vectors of a block, and the most blocks of a row.
inline constexpr index_t softmax_block = 8, softmax_blocks = 64;

/// The most elements of a row that softmax_row takes.
template <class V>
inline constexpr index_t softmax_row_limit = softmax_blocks * softmax_block * lanes<V>::count;

/// A block of a row: its largest elements so far, and the sums of its exponentials relative to them.
template <class V>
struct softmax_part {
    V top, sum;
};

/// The softmax of `cols` elements, 1 to softmax_row_limit. read(W{}, c) returns those from column c on and write(c, y)
/// stores them, as vectors and single floats; `values` has room for `cols` floats. All elements are read before the
/// first is written. A row is NaN if it has a NaN or +inf, or only -inf.
template <class V, class Read, class Write>
APRIORI_INLINE void softmax_row(index_t cols, float* values, const Read& read, const Write& write) noexcept {
    using fn::fmax;
    constexpr index_t L = lanes<V>::count, B = softmax_block;
    softmax_part<V> parts[softmax_blocks];
    const index_t whole = cols / (B * L), first_rest = whole * B * L; // blocks, and the columns after them
    const auto part_of_row = [&](index_t c) {                         // a vector; past the row's end it is -inf
        if (c + L <= cols) return read(V{}, c);
        float lane[to_size(L)];
        for (index_t l = 0; l < L; ++l)
            lane[l] = c + l < cols ? read(float{}, c + l) : -std::numeric_limits<float>::infinity();
        return lanes<V>::load(lane);
    };

    // finite, so that exponentials of -inf are 0
    V top = lanes<V>::set(std::numeric_limits<float>::lowest());
    for (index_t b = 0; b < whole; ++b) {
        V x[B], e[B];
        const index_t first = b * B * L;
#pragma GCC unroll 8
        for (index_t i = 0; i < B; ++i) x[i] = read(V{}, first + i * L);
        V largest = x[0];
#pragma GCC unroll 8
        for (index_t i = 1; i < B; ++i) largest = fmax(largest, x[i]);
        top = fmax(top, largest);
#pragma GCC unroll 8
        for (index_t i = 0; i < B; ++i) {
            e[i] = exp_of_difference(x[i] - top);
            store(values + first + i * L, e[i]);
        }
        V sum = e[0];
#pragma GCC unroll 8
        for (index_t i = 1; i < B; ++i) sum = sum + e[i];
        parts[b] = {top, sum};
    }
    V behind[B], sum_behind = lanes<V>::set(0.0f); // the last part, shorter than a block
    index_t vectors = 0;
    for (index_t c = first_rest; c < cols; c += L) {
        behind[vectors] = part_of_row(c);
        top = fmax(top, behind[vectors++]);
    }
    for (index_t i = 0; i < vectors; ++i) {
        behind[i] = exp_of_difference(behind[i] - top);
        sum_behind = sum_behind + behind[i];
    }

    const V largest = lanes<V>::set(max_lanes(top));
    const V factor_behind = exp_of_difference(top - largest);
    V total = sum_behind * factor_behind;
    for (index_t b = 0; b < whole; ++b) {
        parts[b].top = exp_of_difference(parts[b].top - largest);
        total = multiply_add(parts[b].sum, parts[b].top, total);
    }
    const V inverse = lanes<V>::set(1.0f / sum_lanes(total));
    for (index_t b = 0; b < whole; ++b) {
        const V factor = parts[b].top * inverse;
        for (index_t i = 0; i < B; ++i) {
            const index_t c = (b * B + i) * L;
            write(c, lanes<V>::load(values + c) * factor);
        }
    }
    for (index_t i = 0, c = first_rest; i < vectors; ++i, c += L) {
        const V y = behind[i] * (factor_behind * inverse);
        if (c + L <= cols) {
            write(c, y);
        } else {
            float lane[to_size(L)];
            store(lane, y);
            for (index_t l = 0; c + l < cols; ++l) write(c + l, lane[l]);
        }
    }
}

/// x = softmax(x) for n elements, 1 or more.
template <class V>
void softmax_in_place(float* x, index_t n) noexcept {
    const auto read = [x]<class W>(W, index_t c) { return lanes<W>::load(x + c); };
    const auto write = [x]<class W>(index_t c, W y) { store(x + c, y); };
    if (n <= softmax_row_limit<V>) return softmax_row<V>(n, x, read, write);
    const auto stats = norms::softmax{}.reduce(make_program_row<V>(el::vector{x}, n), n);
    for_columns<V>(0, n, [&]<class W>(W, index_t c) { write(c, norms::softmax::apply(stats, read(W{}, c))); });
}

template <class Arch, executor X, class In, class O>
requires(!el::is_wide<In> && !el::is_wide<O> && std::is_same_v<el::value_of<In>, float>)
void run(X& x, const ops::normalize<norms::softmax, In, O>& op) {
    using V = value_t<Arch>;
    constexpr index_t most = softmax_row_limit<V>;
    constexpr bool in_place = std::is_same_v<O, el::acc>; // otherwise `outer` may read the previous contents
    for_rows(x, op, norms::softmax::flops, [&](index_t r) {
        if (op.cols < 1 || op.cols > most) return normalize_row<V>(op, r);
        alignas(64) float stack[to_size(in_place ? 1 : most)];
        const auto inner = op.input.inner.row(r);
        const auto outer = op.input.outer.row(r);
        float* to = op.out.row(r);
        softmax_row<V>(
            op.cols, in_place ? to : stack, [&]<class W>(W, index_t c) -> W { return inner.at(c, W{}); },
            [&]<class W>(index_t c, W y) { store(to + c, outer.at(c, y)); });
    });
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
