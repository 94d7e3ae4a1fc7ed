// SPDX-License-Identifier: Apache-2.0
// Weights of fewer than 32 bits in the order in which a warp reads them: consecutive units of 16 bytes a lane, which
// become the operands of tensor cores in registers.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/quantization.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/device/cuda/mma.hpp"

#include <cstdint>

namespace apriori::cuda_kernels {

inline constexpr index_t tile_outputs = 16, tile_inputs = 16;

__device__ inline float float_of(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }
__device__ inline std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
/// Two floats as a word of bfloat16 numbers, cut off to their 8 bits of precision.
__device__ inline std::uint32_t word_of(float low, float high) {
    return bits_of(low) >> 16 | (bits_of(high) & 0xffff0000u);
}
/// `bits` - bias as a float, for `bits` below 2^23: they are the fraction of a float from 2^23 on.
__device__ inline float integer(std::uint32_t bits, float bias) {
    return float_of(0x4b000000u | bits) - (0x1p23f + bias);
}

/// The layout of a format in memory. A warp reads one unit at a time: `tiles` tiles of 16 outputs x 16 inputs, 16 bytes
/// a lane, followed by the scales of groups. The units of 16 outputs are consecutive; the scales of these outputs
/// follow the last unit. Each format has
///     tiles, unit_bytes        tiles of k in a unit; its bytes
///     terms                    the number of bfloat16 matrices whose sum is the weights
///     grouped                  whether each group_tiles tiles of k have a scale: group_scale(unit, output, group)
///     extra_bytes              the bytes that follow the units
///     operand(words, t, term)  the operand of tile t, from a lane's 16 bytes of the unit
///     scale(extra, output)     the factor of the sum over all of k
///     store(to, extra, k, j, row)     writes output j of 16, with weights `row` [k]; all threads of a block call it
template <class Format>
struct fragments;

/// For formats without scales.
struct unscaled_fragments {
    static constexpr bool grouped = false;
    static constexpr index_t extra_bytes = 0;
    __device__ static float scale(const std::byte*, int) { return 1.0f; }
};

/// Formats of 16 bits a weight.
struct word_fragments : unscaled_fragments {
    static constexpr int tiles = 1;
    static constexpr index_t unit_bytes = 512;

    template <class Encode>
    __device__ static void store_words(std::byte* to, index_t k, int j, const float* row, Encode encode) {
        for (index_t i = thread_index(); i < round_up(k, tile_inputs); i += thread_count()) {
            const operand_place at = operand_place::of(j, int(i % tile_inputs));
            auto* const lane = reinterpret_cast<std::uint16_t*>(to + i / tile_inputs * unit_bytes + at.lane * 16);
            lane[at.number] = i < k ? encode(row[i]) : std::uint16_t{0};
        }
    }
};
template <>
struct fragments<bf16> : word_fragments {
    static constexpr int terms = 1;
    __device__ static operand_words operand(const operand_words& words, int, int) { return words; }
    __device__ static void store(std::byte* to, std::byte*, index_t k, int j, const float* row) {
        store_words(to, k, j, row, [](float x) { return float_to_bfloat16(x); });
    }
};
template <>
struct fragments<bf16a16> : fragments<bf16> {};
/// The 11 bits of precision of a half are the sum of two bfloat16 numbers: the first eight bits, and the rest.
template <>
struct fragments<f16> : word_fragments {
    static constexpr int terms = 2;
    __device__ static operand_words operand(const operand_words& words, int, int term) {
        operand_words a;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            float low = half_to_float(std::uint16_t(words.word[i] & 0xffffu)),
                  high = half_to_float(std::uint16_t(words.word[i] >> 16));
            if (term == 1) {
                low = behind_bfloat16(low);
                high = behind_bfloat16(high);
            }
            a.word[i] = word_of(low, high);
        }
        return a;
    }
    __device__ static void store(std::byte* to, std::byte*, index_t k, int j, const float* row) {
        store_words(to, k, j, row, [](float x) { return float_to_half(x); });
    }
};
/// Bytes that hold integers + 128; the scales of the 16 outputs follow the units.
template <>
struct fragments<w8> {
    static constexpr int tiles = 2, terms = 1;
    static constexpr bool grouped = false;
    static constexpr index_t unit_bytes = 512, extra_bytes = tile_outputs * 4;

    __device__ static operand_words operand(const operand_words& words, int t, int) {
        operand_words a;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const std::uint32_t two = words.word[2 * t + i / 2] >> (i % 2 * 16);
            a.word[i] = word_of(integer(two & 0xffu, 128), integer(two >> 8 & 0xffu, 128));
        }
        return a;
    }
    __device__ static float scale(const std::byte* extra, int output) {
        return reinterpret_cast<const float*>(extra)[output];
    }
    __device__ static void store(std::byte* to, std::byte* extra, index_t k, int j, const float* row) {
        const float scale = apriori::detail::largest_magnitude(row, k) / 127.0f;
        if (thread_index() == 0) reinterpret_cast<float*>(extra)[j] = scale;
        constexpr index_t inputs = tiles * tile_inputs;
        for (index_t i = thread_index(); i < round_up(k, inputs); i += thread_count()) {
            const operand_place at = operand_place::of(j, int(i % tile_inputs));
            std::byte* const lane = to + i / inputs * unit_bytes + at.lane * 16;
            const int q = i < k ? apriori::detail::nearest_byte(row[i], scale) : 0;
            lane[i / tile_inputs % tiles * 8 + at.number] = std::byte(q + 128);
        }
    }
};
/// Nibbles that hold integers + 8, the lower one of a byte first. A unit ends with a word for each of the 16 outputs:
/// the scales of two groups in bfloat16.
template <>
struct fragments<w4> {
    static constexpr int tiles = 4, terms = 1, group_tiles = w4::group / tile_inputs;
    static constexpr bool grouped = true;
    static constexpr index_t inputs = tiles * tile_inputs;
    static constexpr index_t unit_bytes = 512 + tile_outputs * 4, extra_bytes = 0;

    __device__ static operand_words operand(const operand_words& words, int t, int) {
        operand_words a;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const std::uint32_t two = words.word[t] >> (8 * i);
            a.word[i] = word_of(integer(two & 0xfu, 8), integer(two >> 4 & 0xfu, 8));
        }
        return a;
    }
    __device__ static float group_scale(const std::byte* unit, int output, int g) {
        const std::uint32_t two = reinterpret_cast<const std::uint32_t*>(unit + 512)[output];
        return float_of(g == 0 ? two << 16 : two & 0xffff0000u);
    }
    __device__ static float scale(const std::byte*, int) { return 1.0f; }
    /// One thread for each group.
    __device__ static void store(std::byte* to, std::byte*, index_t k, int j, const float* row) {
        for (index_t g = thread_index(); g < ceil_div(k, inputs) * 2; g += thread_count()) {
            float x[w4::group];
            for (int i = 0; i < w4::group; ++i) x[i] = g * w4::group + i < k ? row[g * w4::group + i] : 0.0f;
            const float scale = apriori::detail::nibble_scale(x, w4::group);
            std::byte* const unit = to + g / 2 * unit_bytes;
            reinterpret_cast<std::uint16_t*>(unit + 512)[j * 2 + g % 2] = float_to_bfloat16(scale);
            for (int i = 0; i < w4::group; i += 2) { // neighbours share a byte
                const operand_place at = operand_place::of(j, i % int(tile_inputs));
                const int t = int(g % 2) * group_tiles + i / int(tile_inputs);
                const int low = apriori::detail::nearest_nibble(x[i], scale) + 8,
                          high = apriori::detail::nearest_nibble(x[i + 1], scale) + 8;
                unit[at.lane * 16 + t * 4 + at.number / 2] = std::byte(low | high << 4);
            }
        }
    }
};

} // namespace apriori::cuda_kernels
