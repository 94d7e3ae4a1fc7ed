// SPDX-License-Identifier: Apache-2.0
// Square root, exponential, logarithm, power and cosine in double precision, usable in constant expressions (std's are
// not before C++26). The same code runs at compile time and at run time, so a table has the same bits either way.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"

#include <bit>
#include <cstdint>
#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::math {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double pi = 3.141592653589793;

using apriori::is_nan;
constexpr double abs(double x) noexcept { return x < 0.0 ? -x : x; }

/// x * 2^n, in two factors so that neither overflows; |n| up to 2044.
constexpr double scale_by_power_of_two(double x, int n) noexcept {
    const int half = n / 2;
    const auto power = [](int e) { return std::bit_cast<double>(std::uint64_t(e + 1023) << 52); };
    return x * power(half) * power(n - half);
}

/// Nearest integer, halves to even: numpy's round.
constexpr double round_half_even(double x) noexcept {
    if (!(abs(x) < 4503599627370496.0)) return x; // from 2^52 on every double is an integer; NaN stays NaN
    const auto whole = std::int64_t(x);
    const double rest = x - double(whole); // has the sign of x
    if (abs(rest) < 0.5 || (abs(rest) == 0.5 && whole % 2 == 0)) return double(whole);
    return double(x < 0.0 ? whole - 1 : whole + 1);
}

/// Square root; NaN below zero. Newton's iteration, off by at most one unit in the last place.
constexpr double sqrt(double x) noexcept {
    if (is_nan(x) || x < 0.0) return nan;
    if (x == 0.0 || x == infinity) return x;
    if (x < 0x1p-1000) return sqrt(x * 0x1p200) * 0x1p-100;
    // Halving the exponent gives a start within 6 %. Four steps then reach more than 53 correct bits; the loop makes
    // one more.
    double y = std::bit_cast<double>((std::bit_cast<std::uint64_t>(x) >> 1) + (std::uint64_t{1023} << 51));
    for (int i = 0; i < 5; ++i) y = 0.5 * (y + x / y);
    return y;
}

/// e^x: x = k ln 2 + r with |r| <= ln 2 / 2, and the Taylor series of e^r.
constexpr double exp(double x) noexcept {
    if (is_nan(x)) return nan;
    if (x > 709.782712893384) return infinity;
    if (x < -745.14) return 0.0;
    const double k = round_half_even(x * 1.4426950408889634);
    const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    double sum = 1.0; // Horner, from r^13 / 13!
    for (int i = 13; i > 1; --i) sum = 1.0 + sum * r / i;
    return scale_by_power_of_two(1.0 + r * sum, int(k));
}

/// Natural logarithm; -infinity at 0, NaN below. x = 2^k (1 + f), s = f / (2 + f), log(1 + f) = 2 atanh(s).
constexpr double log(double x) noexcept {
    if (is_nan(x) || x < 0.0) return nan;
    if (x == 0.0) return -infinity;
    if (x == infinity) return x;
    int k = 0;
    if (x < (std::numeric_limits<double>::min)()) {
        x *= 0x1p54;
        k = -54;
    }
    const auto bits = std::bit_cast<std::uint64_t>(x);
    k += int(bits >> 52) - 1023;
    double m = std::bit_cast<double>((bits & 0x000fffffffffffffULL) | (std::uint64_t{1023} << 52));
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++k;
    }
    const double f = m - 1.0, s = f / (2.0 + f), z = s * s;
    double series = 0.0; // 2/3 z + 2/5 z^2 + ..., |z| < 0.0295
    for (int i = 25; i > 1; i -= 2) series = z * (2.0 / i + series);
    const double half_square = 0.5 * f * f; // log(1 + f) = f - f^2/2 + s (f^2/2 + series)
    return k * 6.93147180369123816490e-01 -
           ((half_square - (s * (half_square + series) + k * 1.90821492927058770002e-10)) - f);
}

/// x^y for x > 0.
constexpr double pow(double x, double y) noexcept { return exp(y * log(x)); }

/// cos x for |x| < 10^5, otherwise NaN: x = q pi/2 + r with pi/2 in three parts, and the Taylor series for |r| <= pi/4.
constexpr double cos(double x) noexcept {
    if (!(abs(x) < 1.0e5)) return nan;
    const double q = round_half_even(x * 0.6366197723675814);
    const double r =
        ((x - q * 1.57079632673412561417e+00) - q * 6.07710050630396597660e-11) - q * 2.02226624879595063154e-21;
    const double z = r * r;
    const auto quadrant = std::int64_t(q) & 3;
    double sum = 1.0;
    const bool odd = (quadrant & 1) != 0; // cos(r + pi/2) = -sin r
    for (int i = 20; i > 0; i -= 2) sum = 1.0 - sum * z / (odd ? i * (i + 1) : i * (i - 1));
    if (odd) sum *= r;
    return quadrant == 1 || quadrant == 2 ? -sum : sum;
}

} // namespace apriori::math
APRIORI_END_EXACT_MATH
