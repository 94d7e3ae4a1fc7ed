// SPDX-License-Identifier: Apache-2.0
// float16 and bfloat16: every value converted to float and back, and rounding to nearest, ties to even.
#include "apriori/core/half.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace {

using namespace apriori;

TEST(Half, EveryFloat16IsItsValueAndComesBack) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto h = static_cast<std::uint16_t>(bits);
        const int exponent = (h >> 10) & 31;
        const int fraction = h & 0x3FF;
        const float got = half_to_float(h);
        if (exponent == 31 && fraction != 0) {
            EXPECT_TRUE(std::isnan(got));
            EXPECT_EQ(float_to_half(got), h | 0x200);
            continue;
        }
        const float magnitude = exponent == 31  ? std::numeric_limits<float>::infinity()
                                : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                                : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
        ASSERT_EQ(got, (h & 0x8000) != 0 ? -magnitude : magnitude) << bits;
        ASSERT_EQ(std::signbit(got), (h & 0x8000) != 0) << bits;
        ASSERT_EQ(float_to_half(got), h) << bits;
    }
}

TEST(Half, RoundsToNearestHalvesToEven) {
    for (std::uint16_t h = 0; h < 0x7C00; ++h) { // between each float16 and the next larger one
        const float low = half_to_float(h);
        const float high = h == 0x7BFF ? 65536.0F : half_to_float(static_cast<std::uint16_t>(h + 1));
        const float middle = low + (high - low) / 2; // exact
        const auto up = static_cast<std::uint16_t>(h + 1);
        ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0F)), h) << h;
        ASSERT_EQ(float_to_half(middle), (h & 1) == 0 ? h : up) << h;
        ASSERT_EQ(float_to_half(std::nextafter(middle, 1e9F)), up) << h;
        ASSERT_EQ(float_to_half(-middle), 0x8000 | ((h & 1) == 0 ? h : up)) << h;
    }
    EXPECT_EQ(float_to_half(1e-30F), 0);
    EXPECT_EQ(float_to_half(1e30F), 0x7C00);
    EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xFC00);
}

TEST(Half, Bfloat16) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto b = static_cast<std::uint16_t>(bits);
        const float x = bfloat16_to_float(b);
        EXPECT_EQ(std::bit_cast<std::uint32_t>(x), bits << 16);
        EXPECT_EQ(float_to_bfloat16(x), std::isnan(x) ? b | 0x40 : b);
    }
    const auto rounded = [](std::uint32_t bits) { return float_to_bfloat16(std::bit_cast<float>(bits)); };
    EXPECT_EQ(rounded(0x3F808000), 0x3F80); // ties to even
    EXPECT_EQ(rounded(0x3F818000), 0x3F82);
    EXPECT_EQ(rounded(0x3F808001), 0x3F81);
    EXPECT_EQ(rounded(0x3F807FFF), 0x3F80);
    EXPECT_EQ(rounded(0x7F7FFFFF), 0x7F80); // rounds up to infinity
    EXPECT_EQ(rounded(0x7F800001), 0x7FC0); // a NaN stays a NaN when its payload is cut off
}

} // namespace
