// SPDX-License-Identifier: Apache-2.0
// A counter-based generator: number i depends only on (seed, stream, i), so the numbers are the same for any split of a
// batch, any number of threads and any device.
#pragma once

#include "apriori/core/macros.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Four values; std::array's functions cannot be used in device code.
template <class T>
struct four {
    T at[4];

    constexpr bool operator==(const four&) const = default;
};

namespace detail {

APRIORI_HD constexpr std::uint32_t low_word(std::uint64_t x) noexcept { return std::uint32_t(x); }
APRIORI_HD constexpr std::uint32_t high_word(std::uint64_t x) noexcept { return std::uint32_t(x >> 32); }

} // namespace detail

/// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011): four random words
/// from a 128-bit counter and a 64-bit key.
APRIORI_HD constexpr four<std::uint32_t> philox4x32(four<std::uint32_t> counter, std::uint64_t key) noexcept {
    using detail::low_word, detail::high_word;
    std::uint32_t low_key = low_word(key), high_key = high_word(key);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53U} * counter.at[0],
                            b = std::uint64_t{0xCD9E8D57U} * counter.at[2];
        counter = {{high_word(b) ^ counter.at[1] ^ low_key, low_word(b), //
                    high_word(a) ^ counter.at[3] ^ high_key, low_word(a)}};
        low_key += 0x9E3779B9U;
        high_key += 0xBB67AE85U;
    }
    return counter;
}

namespace detail {

// Every product below is inside an fma or feeds only products and fmas, so no compiler can contract it differently: the
// result has the same bits with and without fused instructions, on host and device.

/// -2 ln u for u in (0, 1]: u = 2^e m, m in [sqrt(1/2), sqrt 2), ln m = 2 atanh((m - 1) / (m + 1)).
APRIORI_HD inline float minus_two_log(float u) noexcept {
    const auto bits = __builtin_bit_cast(std::uint32_t, u);
    // 0x3f3504f3 is sqrt(1/2): subtracting it first chooses the exponent that puts m in [sqrt(1/2), sqrt 2).
    const std::int32_t exponent = std::int32_t(bits - 0x3f3504f3U) >> 23;
    const float m = __builtin_bit_cast(float, bits - (std::uint32_t(exponent) << 23));
    const float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    float series = std::fma(z, 1.0f / 9.0f, 1.0f / 7.0f);
    series = std::fma(z, series, 1.0f / 5.0f);
    series = std::fma(z, series, 1.0f / 3.0f);
    series = std::fma(z, series, 1.0f);
    const float e = float(exponent);
    const float tiny = std::fma(e, -2.0f * -1.90465421e-9f, s * series * -4.0f);
    return std::fma(e, -2.0f * 0.693147182f, tiny);
}

struct direction {
    float cos, sin;
};

/// cos and sin of 2 pi * turns / 2^32.
APRIORI_HD inline direction cos_sin_turns(std::uint32_t turns) noexcept {
    const std::uint32_t quadrant = (turns + 0x20000000U) >> 30;       // nearest quarter turn
    const auto rest = std::int32_t(turns - (quadrant << 30));         // at most an eighth of a turn to either side
    const float x = float(rest) * 1.46291807926715968e-9f, z = x * x; // 2 pi / 2^32
    float s = std::fma(z, 2.75573192e-6f, -1.98412698e-4f);
    s = std::fma(z, s, 8.33333333e-3f);
    s = std::fma(z, s, -1.66666667e-1f);
    s = std::fma(z * x, s, x);
    float c = std::fma(z, 2.48015873e-5f, -1.38888889e-3f);
    c = std::fma(z, c, 4.16666667e-2f);
    c = std::fma(z, c, -0.5f);
    c = std::fma(z, c, 1.0f);
    const float even = (quadrant & 1U) != 0 ? s : c, odd = (quadrant & 1U) != 0 ? c : s;
    return {(quadrant == 1U || quadrant == 2U) ? -even : even, quadrant >= 2U ? -odd : odd};
}

} // namespace detail

/// Random words 4 * block to 4 * block + 3 of a stream of a seed.
APRIORI_HD constexpr four<std::uint32_t> philox_words4(std::uint64_t seed, std::uint64_t stream,
                                                       std::uint64_t block) noexcept {
    using detail::low_word, detail::high_word;
    return philox4x32({{low_word(block), high_word(block), low_word(stream), high_word(stream)}}, seed);
}

/// Standard normal numbers 4 * block to 4 * block + 3 of a stream of a seed: the Box-Muller transform of one counter's
/// words.
APRIORI_HD inline four<float> philox_normal4(std::uint64_t seed, std::uint64_t stream, std::uint64_t block) noexcept {
    const auto words = philox_words4(seed, stream, block);
    four<float> out{};
    for (int pair = 0; pair < 4; pair += 2) {
        const float u = std::fma(float(words.at[pair]), 0x1p-32f, 0x1p-33f); // (0, 1]
        const float radius = std::sqrt(detail::minus_two_log(u));
        const detail::direction d = detail::cos_sin_turns(words.at[pair + 1]);
        out.at[pair] = std::fma(radius, d.cos, 0.0f); // an fma, so that it cannot be contracted with the caller's sum
        out.at[pair + 1] = std::fma(radius, d.sin, 0.0f);
    }
    return out;
}

/// Standard normal number `i` of a stream of a seed.
APRIORI_HD inline float philox_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t i) noexcept {
    return philox_normal4(seed, stream, i / 4).at[i % 4];
}

/// Draws these numbers span by span. The streams of one seed are independent: use one for each prompt or row, for
/// example.
class philox_generator {
public:
    explicit constexpr philox_generator(std::uint64_t seed, std::uint64_t stream = 0) noexcept
        : seed_(seed), stream_(stream) {}

    /// Fills `out` with the next standard normal numbers of the stream; how they are split into calls does not matter.
    void randn(std::span<float> out) noexcept {
        fill(out, philox_normal4, [](float x) { return x; });
    }
    /// The same with uniform numbers in [0, 1): multiples of 2^-24.
    void rand(std::span<float> out) noexcept {
        fill(out, philox_words4, [](std::uint32_t word) { return float(word >> 8) * 0x1p-24f; });
    }

    /// The index of the next number; seek() sets it.
    constexpr std::uint64_t position() const noexcept { return position_; }
    constexpr void seek(std::uint64_t position) noexcept { position_ = position; }

private:
    /// Takes the next numbers, one by one, from four_of_block(seed, stream, block).
    void fill(std::span<float> out, auto four_of_block, auto number) noexcept {
        for (std::size_t i = 0; i < out.size();) {
            const auto values = four_of_block(seed_, stream_, position_ / 4);
            for (std::size_t k = position_ % 4; k < 4 && i < out.size(); ++k, ++i, ++position_)
                out[i] = number(values.at[k]);
        }
    }

    std::uint64_t seed_, stream_, position_ = 0;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
