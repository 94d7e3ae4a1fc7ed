// SPDX-License-Identifier: Apache-2.0
// The number that the oracle computes with: a double, and a bound on how far a device that computes in float32 may be
// from it. Each operation adds what float rounding can add (a running error analysis, Higham 2002, section 3.3).
#pragma once

#include "apriori/expr/norms.hpp"

#include <cfloat>
#include <limits>
#include <vector>

namespace oracle {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// One rounding, at twice its real size.
inline constexpr double unit = FLT_EPSILON;
/// Roundings of a vectorised transcendental function.
inline constexpr double transcendental = 4;

struct real {
    double value = 0;
    double error = 0; ///< a float32 result lies in value +- error
};

// Defined in device_oracle_real.cpp: compiled once, and never inlined into the many expressions of the tests.

/// A value, exact but for `error`, after `roundings` roundings to float. It overflows as a float does, and may be
/// flushed to zero where a float is denormal.
real rounded(double value, double error, double roundings = 1);

real operator+(real a, real b);
real operator-(real a, real b);
real operator-(real a);
real operator*(real a, real b);
real operator/(real a, real b);
real fmin(real a, real b); ///< b if either is NaN
real fmax(real a, real b);
real exp(real x);
real log(real x);
real sqrt(real x);
real sin(real x);
real cos(real x);
real tanh(real x);
real erf(real x);
real abs(real x);
real floor(real x);
real ceil(real x);
real trunc(real x);
real nearbyint(real x);
real cbrt(real x);
real exp2(real x);
real expm1(real x);
real log2(real x);
real log1p(real x);
real tan(real x);
real asin(real x);
real acos(real x);
real atan(real x);
real sinh(real x);
real cosh(real x);
real pow(real x, real y);
real atan2(real y, real x);
real fmod(real x, real y);
real where_less(real a, real b, real yes, real no);
real where_equal(real a, real b, real yes, real no);

/// A sum. Its error is that of roundings that go up as often as down: (2 + sqrt n) unit sum |x|.
real sum(const std::vector<real>& x);
/// sum_k x[k] y[k].
real dot(const std::vector<real>& x, const std::vector<real>& y);
/// The largest number, or NaN if there is one.
real largest(const std::vector<real>& x);

/// A float in memory remembers its double and its error, for the launch that reads it.
void write(float* p, real x);
real read(const float* p);
void forget_all();

} // namespace oracle

template <>
struct apriori::lanes<oracle::real> {
    static constexpr int count = 1;
    using number = float;
    template <class>
    using as = oracle::real;
    static oracle::real load(const float* p) noexcept { return oracle::read(p); }
    static oracle::real load_strided(const float* p, index_t) noexcept { return oracle::read(p); }
    static oracle::real set(auto value) noexcept { return {static_cast<double>(static_cast<float>(value)), 0}; }
};
