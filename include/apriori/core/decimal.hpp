// SPDX-License-Identifier: Apache-2.0
// Decimal numbers in constant expressions: text to double, correctly rounded, and float to text, with the fewest digits
// that read back the same.
#pragma once

#include "apriori/core/fixed_string.hpp"
#include "apriori/core/floats.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// digits * 10^exponent, rounded to the nearest double, halves to even.
constexpr double from_decimal(std::uint64_t digits, int exponent) noexcept {
    if (digits == 0 || exponent < -345) return 0.0; // 2^64 * 10^-346 is less than half of the smallest double
    if (exponent > 310) return std::numeric_limits<double>::infinity();
    constexpr int words = 40;
    std::uint32_t n[words]{}; // a whole number, least significant word first, of units of 2^-(32 unit)
    const int unit = exponent < 0 ? words - 2 : 0;
    n[unit] = std::uint32_t(digits);
    n[unit + 1] = std::uint32_t(digits >> 32);
    for (int e = exponent; e > 0; --e) {
        std::uint64_t carry = 0;
        for (std::uint32_t& word : n) {
            carry += std::uint64_t{word} * 10;
            word = std::uint32_t(carry);
            carry >>= 32;
        }
    }
    bool rest = false; // whether something nonzero lies below
    for (int e = exponent; e < 0; ++e) {
        std::uint64_t left = 0;
        for (int i = words - 1; i >= 0; --i) {
            left = left << 32 | n[i];
            n[i] = std::uint32_t(left / 10);
            left %= 10;
        }
        rest = rest || left != 0;
    }
    const auto bit = [&n](int i) { return i >= 0 && (n[i / 32] >> (i % 32) & 1U) != 0; };
    int top = 32 * words - 1;
    while (!bit(top)) --top;
    const int power = top - 32 * unit; // the value is 1.something times 2^power
    const bool subnormal = power < -1022;
    const int kept = subnormal ? 53 + 1022 + power : 53;
    if (kept < 0) return 0.0;
    std::uint64_t mantissa = 0;
    for (int i = 0; i < kept; ++i) mantissa = mantissa << 1 | std::uint64_t{bit(top - i)};
    for (int i = top - kept - 1; i >= 0 && !rest; --i) rest = bit(i);
    if (bit(top - kept) && (rest || (mantissa & 1U) != 0)) ++mantissa;
    const std::uint64_t bits = (subnormal ? 0 : std::uint64_t(power + 1022) << 52) + mantissa;
    constexpr std::uint64_t infinite = std::uint64_t{0x7FF} << 52;
    return std::bit_cast<double>(bits < infinite ? bits : infinite);
}

/// The value of a JSON number, or of Python's Infinity, -Infinity and NaN. Digits after the 19th do not count.
constexpr double parse_decimal(std::string_view s) noexcept {
    const double sign = s.starts_with('-') ? -1.0 : 1.0;
    if (sign < 0.0) s.remove_prefix(1);
    if (s == "Infinity") return sign * std::numeric_limits<double>::infinity();
    if (s == "NaN") return std::numeric_limits<double>::quiet_NaN();
    std::uint64_t digits = 0;
    int exponent = 0, written = 0;
    bool fraction = false;
    std::size_t i = 0;
    for (; i < s.size() && s[i] != 'e' && s[i] != 'E'; ++i) {
        if (s[i] == '.') {
            fraction = true;
        } else if (digits < 1'000'000'000'000'000'000) {
            digits = digits * 10 + std::uint64_t(s[i] - '0');
            exponent -= fraction ? 1 : 0;
        } else {
            exponent += fraction ? 0 : 1;
        }
    }
    const bool negative = i + 1 < s.size() && s[i + 1] == '-';
    for (++i; i < s.size(); ++i)
        if (s[i] >= '0' && s[i] <= '9' && written < 10'000) written = written * 10 + (s[i] - '0');
    return sign * from_decimal(digits, exponent + (negative ? -written : written));
}

/// Appends `x` as Python writes it: the fewest digits that read back as the same float, with a point or an exponent.
template <std::size_t N>
constexpr void add_decimal(short_text<N>& to, float x) noexcept {
    if (is_nan(x)) return to.add("NaN");
    const bool negative = std::bit_cast<std::uint32_t>(x) >> 31 != 0; // also -0
    if (negative) to.add('-');
    x = negative ? -x : x;
    if (x > (std::numeric_limits<float>::max)()) return to.add("Infinity");
    std::uint64_t whole = 0;
    int exponent = 0; // x = whole * 10^exponent
    if (x > 0) {
        double scaled = x;
        int power = 0;
        for (; scaled >= 10.0; ++power) scaled /= 10.0;
        for (; scaled < 1.0; --power) scaled *= 10.0;
        double shift = 1.0;
        for (int count = 1; count <= 9; ++count, shift *= 10.0) {
            whole = std::uint64_t(scaled * shift + 0.5);
            exponent = power - count + 1;
            if (float(from_decimal(whole, exponent)) == x) break;
        }
        for (; whole % 10 == 0; whole /= 10) ++exponent;
    }
    short_text<24> text;
    text.add(whole);
    const std::string_view digits = text.view();
    const int power = int(digits.size()) + exponent - 1;
    if (power < -4 || power >= 16) {
        to.add(digits.front(), digits.size() > 1 ? "." : "", digits.substr(1), power < 0 ? "e-" : "e+");
        const int e = power < 0 ? -power : power;
        to.add(e < 10 ? "0" : "", e);
        return;
    }
    const auto before = to_size(power < 0 ? 0 : power + 1); // digits before the point
    to.add(power < 0 ? "0" : digits.substr(0, before));
    for (std::size_t i = digits.size(); i < before; ++i) to.add('0');
    to.add('.');
    for (int i = -1; i > power; --i) to.add('0');
    to.add(digits.size() > before ? digits.substr(before) : "0");
}

} // namespace apriori
APRIORI_END_EXACT_MATH
