// SPDX-License-Identifier: Apache-2.0
// The inner product of contractions in words of several inputs: interleaved words of a left
// operand times a panel of words.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/int_lanes.hpp"
#include "apriori/device/cpu/packed.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The sums of a Dot: integers or floats.
template <class V>
struct integer_sums {
    using number = std::int32_t;
    using sums = typename int_lanes<V>::integers;
    static APRIORI_INLINE sums zero() noexcept { return sums(0); }
    static APRIORI_INLINE sums load(const number* p) noexcept { return int_lanes<V>::load_integers(p); }
    static APRIORI_INLINE void store(number* p, sums x) noexcept { int_lanes<V>::store_integers(p, x); }
};
template <class V>
struct float_sums {
    using number = float;
    using sums = V;
    static APRIORI_INLINE sums zero() noexcept { return lanes<V>::set(0.0f); }
    static APRIORI_INLINE sums load(const number* p) noexcept { return lanes<V>::load(p); }
    static APRIORI_INLINE void store(number* p, sums x) noexcept { lanes<V>::store(p, x); }
};

/// sums[M][panel] (+)= `words` words of M rows, [words][M][Dot::left_words], times as many words of a
/// panel. A Dot, for a register V, has
///     number, sums, zero, load, store   the sums: integer_sums or float_sums
///     left_words                        words of the left operand for a word of weights
///     prepare(w)                        a register of weights as add() takes it
///     add(sum, left, prepared)          sum + the products of one word
/// and may have multiply<M>, which replaces this function.
template <class Arch, class Dot, int M>
void multiply_words(const std::uint32_t* a, const std::uint32_t* w, index_t words, typename Dot::number* sums,
                    bool accumulate, block_turn block) noexcept {
    using V = value_t<Arch>;
    constexpr int N = blocking<Arch>::vectors, L = lanes<V>::count;
    typename Dot::sums sum[to_size(M)][to_size(N)];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sum[m][n] = accumulate ? Dot::load(sums + (m * N + n) * L) : Dot::zero();
    slice_prefetch ahead(w, words, N * L * 4, block);
    for (index_t i = 0; i < words; ++i, w += N * L, a += M * Dot::left_words) {
        ahead.advance();
        typename Dot::weights x[to_size(N)];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) x[n] = Dot::prepare(int_lanes<V>::load(w + n * L));
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[m][n] = Dot::add(sum[m][n], a + m * Dot::left_words, x[n]);
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) Dot::store(sums + (m * N + n) * L, sum[m][n]);
}

/// The same for `count` rows in blocks of `block`, [block][all words][rows of the block][left_words], in slices of a
/// panel that stay in the cache.
template <class Arch, class Dot>
void multiply_word_blocks(const std::uint32_t* a, index_t count, index_t block, const std::uint32_t* panel,
                          index_t words, typename Dot::number* sums) noexcept {
    constexpr index_t P = blocking<Arch>::panel, depth = 1024;
    using kernel =
        void (*)(const std::uint32_t*, const std::uint32_t*, index_t, typename Dot::number*, bool, block_turn) noexcept;
    static constexpr auto kernels = by_row_count<blocking<Arch>::rows>([]<int M>() -> kernel {
        if constexpr (requires { &Dot::template multiply<M>; })
            return Dot::template multiply<M>; // its own loop
        else
            return multiply_words<Arch, Dot, M>;
    });
    for (index_t w0 = 0; w0 < words || w0 == 0; w0 += depth) {
        const index_t n = (std::min)(words - w0, depth);
        for_each_block(count, block, [&](index_t r, index_t m, block_turn turn) {
            at(kernels, m - 1)(a + (r * words + w0 * m) * Dot::left_words, panel + w0 * P, n, sums + r * P, w0 != 0,
                               turn);
        });
    }
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
