// SPDX-License-Identifier: Apache-2.0
// Products of bytes summed in 32-bit integers, four inputs at a time, for integer weights. The primary template works
// everywhere; specialisations use an instruction of dot/ where one is available. All give the same integers.
#pragma once

#include "apriori/device/cpu/dot/avx512vnni.hpp"
#include "apriori/device/cpu/dot/pairs_x86.hpp"
#include "apriori/device/cpu/dot/sdot_arm.hpp"
#include "apriori/device/cpu/dot/smlad_arm.hpp"
#include "apriori/device/cpu/dot/usdot_arm.hpp"
#include "apriori/device/cpu/word_product.hpp"

#include <array>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// Four inputs of a row, -127 .. 127.
using byte_quad = std::array<std::int8_t, 4>;

/// Whether V multiplies bytes four at a time.
template <class V>
inline constexpr bool multiplies_quads = false;
template <class Arch>
requires(has_quads<simd<Arch>::size> || has_signed_quads<simd<Arch>::size>)
inline constexpr bool multiplies_quads<simd<Arch>> = true;

template <class V>
struct byte_sums : integer_sums<V> {
    static constexpr int taken_off = 0;
};
/// Sums of as many outputs as V has lanes. A word of weights holds four inputs of one output, each a byte of `Bits`
/// bits, 0 .. 255 or 0 .. 15. expand() writes a quad of activations as `left_words` words. Products are those of the
/// weights minus `taken_off`. Nothing saturates: a product is at most 255 * 127, and 65536 of them fit into 32 bits.
template <class V, int Bits = 8>
struct byte_dot : byte_sums<V> {
    using weights = int_lanes<V>;
    using integers = typename int_lanes<V>::integers;
    static constexpr int left_words = 1;

    static void expand(byte_quad quad, std::uint32_t* to) noexcept { *to = std::bit_cast<std::uint32_t>(quad); }
    static APRIORI_INLINE weights prepare(int_lanes<V> w) noexcept { return w; }
    static APRIORI_INLINE integers add(integers sum, const std::uint32_t* quad, weights w) noexcept {
        const auto x = std::int32_t(*quad);
        sum = sum + integers(x << 24 >> 24) * w.masked(0xffu).as_integers();
        sum = sum + integers(x << 16 >> 24) * w.right(8).masked(0xffu).as_integers();
        sum = sum + integers(x << 8 >> 24) * w.right(16).masked(0xffu).as_integers();
        return sum + integers(x >> 24) * w.right(24).as_integers();
    }
};

/// With an instruction that multiplies pairs of 16-bit integers and adds them in 32 bits.
template <class Arch, int Bits>
requires(has_pairs<simd<Arch>::size> && !has_quads<simd<Arch>::size>)
struct byte_dot<simd<Arch>, Bits> : byte_sums<simd<Arch>> {
    using V = simd<Arch>;
    struct weights {
        int_lanes<V> even, odd; ///< inputs 0 and 2, 1 and 3 of each output
    };
    using integers = typename int_lanes<V>::integers;
    static constexpr int left_words = 2;

    static void expand(byte_quad quad, std::uint32_t* to) noexcept {
        const auto pair = [&](std::size_t low, std::size_t high) {
            return std::bit_cast<std::uint32_t>(std::array<std::int16_t, 2>{quad[low], quad[high]});
        };
        to[0] = pair(0, 2);
        to[1] = pair(1, 3);
    }
    static APRIORI_INLINE weights prepare(int_lanes<V> w) noexcept {
        return {w.masked(0x00ff00ffu), w.right(8).masked(0x00ff00ffu)};
    }
    static APRIORI_INLINE integers add(integers sum, const std::uint32_t* quad, weights w) noexcept {
        const int_lanes<V> even = int_lanes<V>::set(quad[0]), odd = int_lanes<V>::set(quad[1]);
        sum = sum + integers(multiply_pairs(w.even.v, even.v));
        return sum + integers(multiply_pairs(w.odd.v, odd.v));
    }
};

/// The same on a single word.
template <class V, int Bits>
requires(has_word_pairs && std::is_same_v<V, float>)
struct byte_dot<V, Bits> : byte_sums<V> {
    struct weights {
        std::uint32_t even, odd; ///< inputs 0 and 2, 1 and 3
    };
    using integers = typename int_lanes<V>::integers;
    static constexpr int left_words = 2;

    static void expand(byte_quad quad, std::uint32_t* to) noexcept {
        to[0] = std::bit_cast<std::uint32_t>(std::array<std::int16_t, 2>{quad[0], quad[2]});
        to[1] = std::bit_cast<std::uint32_t>(std::array<std::int16_t, 2>{quad[1], quad[3]});
    }
    static APRIORI_INLINE weights prepare(int_lanes<V> w) noexcept {
        return {w.v & 0x00ff00ffu, w.v >> 8 & 0x00ff00ffu};
    }
    static APRIORI_INLINE integers add(integers sum, const std::uint32_t* quad, weights w) noexcept {
        return add_word_pairs(add_word_pairs(sum, w.even, quad[0]), w.odd, quad[1]);
    }
};

/// With an instruction that multiplies quads of bytes and adds them in 32 bits.
template <class Arch, int Bits>
requires(has_quads<simd<Arch>::size>)
struct byte_dot<simd<Arch>, Bits> : byte_sums<simd<Arch>> {
    using weights = int_lanes<simd<Arch>>;
    using integers = typename weights::integers;
    static constexpr int left_words = 1;

    static void expand(byte_quad quad, std::uint32_t* to) noexcept { *to = std::bit_cast<std::uint32_t>(quad); }
    static APRIORI_INLINE weights prepare(weights w) noexcept { return w; }
    static APRIORI_INLINE integers add(integers sum, const std::uint32_t* quad, weights w) noexcept {
        return integers(add_quads(sum, w.v, weights::set(*quad).v));
    }
};

/// The same where both are signed: weights of eight bits are made signed.
template <class Arch, int Bits>
requires(has_signed_quads<simd<Arch>::size> && !has_quads<simd<Arch>::size>)
struct byte_dot<simd<Arch>, Bits> : byte_sums<simd<Arch>> {
    using weights = int_lanes<simd<Arch>>;
    using integers = typename weights::integers;
    static constexpr int taken_off = Bits == 8 ? 128 : 0;
    static constexpr int left_words = 1;

    static void expand(byte_quad quad, std::uint32_t* to) noexcept { *to = std::bit_cast<std::uint32_t>(quad); }
    static APRIORI_INLINE weights prepare(weights w) noexcept {
        return taken_off == 0 ? w : w.flipped(weights::set(0x80808080u));
    }
    static APRIORI_INLINE integers add(integers sum, const std::uint32_t* quad, weights w) noexcept {
        return integers(add_signed_quads(sum, w.v, weights::set(*quad).v));
    }
};

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
