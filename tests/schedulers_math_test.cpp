// SPDX-License-Identifier: Apache-2.0
// constexpr mathematics compared with the standard library's, in units in the last place.
#include "apriori/core/constexpr_math.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace {

namespace m = apriori::math;

// All functions in constant expressions.
static_assert(m::sqrt(144.0) == 12.0 && m::sqrt(0.0) == 0.0 && m::is_nan(m::sqrt(-1.0)));
static_assert(m::exp(0.0) == 1.0 && m::log(1.0) == 0.0 && m::log(0.0) == -m::infinity);
static_assert(m::cos(0.0) == 1.0 && m::abs(m::cos(m::pi / 3) - 0.5) < 2e-16);
static_assert(m::abs(m::pow(2.0, 10.0) - 1024.0) < 1e-12);
static_assert(m::round_half_even(166.5) == 166.0 && m::round_half_even(167.5) == 168.0);
static_assert(m::round_half_even(-0.5) == 0.0 && m::round_half_even(-1.5) == -2.0 && m::round_half_even(2.49) == 2.0);

/// The distance in units in the last place between two finite numbers of the same sign.
std::int64_t ulps(double a, double b) {
    if (a == b) return 0;
    const auto x = std::bit_cast<std::int64_t>(a), y = std::bit_cast<std::int64_t>(b);
    return x > y ? x - y : y - x;
}

struct generator {
    std::mt19937_64 engine{7};
    double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine); }
    /// With evenly distributed exponents.
    double positive() { return std::ldexp(uniform(1.0, 2.0), static_cast<int>(uniform(-1070.0, 1020.0))); }
};

TEST(ConstexprMath, SqrtAndLogOfAnyPositiveNumber) {
    generator g;
    for (int i = 0; i < 200000; ++i) {
        const double x = g.positive();
        ASSERT_LE(ulps(m::sqrt(x), std::sqrt(x)), 1) << x;
        ASSERT_LE(ulps(m::log(x), std::log(x)), 1) << x;
    }
}

TEST(ConstexprMath, LogNearOne) {
    generator g;
    for (int i = 0; i < 200000; ++i) {
        const double x = g.uniform(0.5, 2.0), near = 1.0 + g.uniform(-1e-6, 1e-6);
        ASSERT_LE(ulps(m::log(x), std::log(x)), 2) << x;
        ASSERT_LE(ulps(m::log(near), std::log(near)), 2) << near;
    }
}

TEST(ConstexprMath, Exp) {
    generator g;
    for (int i = 0; i < 200000; ++i) {
        const double x = g.uniform(-700.0, 700.0), small = g.uniform(-2.0, 2.0);
        ASSERT_LE(ulps(m::exp(x), std::exp(x)), 2) << x;
        ASSERT_LE(ulps(m::exp(small), std::exp(small)), 2) << small;
    }
    EXPECT_EQ(m::exp(-800.0), 0.0);
    EXPECT_NEAR(m::exp(-744.0), std::exp(-744.0), 5e-324);
    EXPECT_EQ(m::exp(710.0), m::infinity);
}

TEST(ConstexprMath, Cos) {
    generator g;
    for (int i = 0; i < 200000; ++i) {
        const double quarter = g.uniform(0.0, m::pi / 2), x = g.uniform(-1000.0, 1000.0);
        ASSERT_LE(ulps(m::cos(quarter), std::cos(quarter)), 2) << quarter;
        ASSERT_NEAR(m::cos(x), std::cos(x), 3e-16) << x;
    }
    EXPECT_EQ(m::cos(m::pi / 2), std::cos(m::pi / 2));
}

TEST(ConstexprMath, PowAsKarrasUsesIt) {
    generator g;
    for (int i = 0; i < 100000; ++i) {
        const double x = g.uniform(1e-3, 200.0);
        ASSERT_NEAR(m::pow(x, 1.0 / 7.0), std::pow(x, 1.0 / 7.0), 4e-16 * std::pow(x, 1.0 / 7.0)) << x;
        ASSERT_NEAR(m::pow(m::pow(x, 1.0 / 7.0), 7.0), x, 2e-14 * x) << x;
    }
}

TEST(ConstexprMath, RoundHalfEvenIsNearbyint) {
    generator g;
    for (int i = 0; i < 100000; ++i) {
        const double x = g.uniform(-3000.0, 3000.0), half = std::floor(x) + 0.5;
        ASSERT_EQ(m::round_half_even(x), std::nearbyint(x)) << x;
        ASSERT_EQ(m::round_half_even(half), std::nearbyint(half)) << half;
    }
    EXPECT_EQ(m::round_half_even(1e300), 1e300);
}

TEST(ConstexprMath, NotANumberStaysOne) {
    EXPECT_TRUE(m::is_nan(m::sqrt(m::nan)) && m::is_nan(m::exp(m::nan)) && m::is_nan(m::log(m::nan)));
    EXPECT_TRUE(m::is_nan(m::cos(m::nan)) && m::is_nan(m::cos(m::infinity)) && m::is_nan(m::log(-1.0)));
}

} // namespace
