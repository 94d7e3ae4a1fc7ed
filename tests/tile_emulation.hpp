// SPDX-License-Identifier: Apache-2.0
// A matrix unit in plain C++, as device/cpu/tiles.hpp expects one. Its numbers are those of Intel's AMX.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/index.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

struct emulated_unit {
    static bool available() { return true; }
    /// Counts the live sessions, so that a use of the tiles without one is detected.
    struct session {
        session() { ++alive; }
        session(const session&) = delete;
        session& operator=(const session&) = delete;
        ~session() { --alive; }
    };

    template <int T>
    static void zero() {
        tile<T>() = {};
    }
    template <int T>
    static void load(const void* p, apriori::index_t stride) {
        for (int r = 0; r < 16; ++r) std::memcpy(&tile<T>()[at(r)], static_cast<const char*>(p) + r * stride, 64);
    }
    template <int T>
    static void load_past_l1(const void* p, apriori::index_t stride) {
        load<T>(p, stride);
    }
    template <int T>
    static void store(void* p, apriori::index_t stride) {
        for (int r = 0; r < 16; ++r) std::memcpy(static_cast<char*>(p) + r * stride, &tile<T>()[at(r)], 64);
    }
    template <int Sum, int Left, int Right>
    static void add_bfloat16() {
        add_bfloat16(tile<Sum>(), tile<Left>(), tile<Right>());
    }
    template <int Sum, int Left, int Right>
    static void add_bytes() {
        add_bytes(tile<Sum>(), tile<Left>(), tile<Right>());
    }

private:
    using registers = std::array<std::array<std::uint32_t, 16>, 16>; // [row][word]
    static void add_bfloat16(registers& sum, const registers& left, const registers& right) {
        for (int row = 0; row < 16; ++row)
            for (int column = 0; column < 16; ++column) {
                float of_pairs[2] = {}; // of their first elements, and of their second
                for (int k = 0; k < 16; ++k)
                    for (int i = 0; i < 2; ++i) {
                        const float x = element(left[at(row)][at(k)], i), w = element(right[at(k)][at(column)], i);
                        of_pairs[i] = flushed(std::fma(x, w, of_pairs[i]));
                    }
                std::uint32_t& word = sum[at(row)][at(column)];
                const float old = flushed(std::bit_cast<float>(word));
                word = std::bit_cast<std::uint32_t>(flushed(old + flushed(of_pairs[0] + of_pairs[1])));
            }
    }
    static void add_bytes(registers& sum, const registers& left, const registers& right) {
        for (int row = 0; row < 16; ++row)
            for (int column = 0; column < 16; ++column)
                for (int k = 0; k < 16; ++k)
                    for (int shift = 0; shift < 32; shift += 8)
                        sum[at(row)][at(column)] +=
                            static_cast<std::uint32_t>(static_cast<std::int8_t>(left[at(row)][at(k)] >> shift) *
                                                       static_cast<std::uint8_t>(right[at(k)][at(column)] >> shift));
    }
    static float element(std::uint32_t pair, int i) {
        return flushed(apriori::bfloat16_to_float(static_cast<std::uint16_t>(pair >> (16 * i))));
    }
    static std::size_t at(int i) { return static_cast<std::size_t>(i); }
    static float flushed(float x) {
        const auto bits = std::bit_cast<std::uint32_t>(x);
        return (bits & 0x7f800000u) == 0 ? std::bit_cast<float>(bits & 0x80000000u) : x;
    }
    template <int T>
    static registers& tile() {
        if (alive <= 0) std::abort();
        static thread_local registers r;
        return r;
    }
    static inline thread_local int alive = 0;
};
