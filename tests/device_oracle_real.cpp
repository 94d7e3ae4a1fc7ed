// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the oracle's numbers, compiled once for all tests.
#include "device_oracle_real.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

namespace oracle {

real rounded(double value, double error, double roundings) {
    if (std::isnan(value)) return {value, 0};
    if (std::fabs(value) > static_cast<double>(FLT_MAX)) return {std::copysign(infinity, value), 0};
    if (std::isnan(error)) error = infinity;
    error += roundings * unit * std::fabs(value);
    if (value != 0 && std::fabs(value) < static_cast<double>(FLT_MIN)) error += static_cast<double>(FLT_MIN);
    return {value, error};
}

static bool exact_zero(real a) { return a.value == 0 && a.error == 0; }

real operator+(real a, real b) { return rounded(a.value + b.value, a.error + b.error); }
real operator-(real a, real b) { return rounded(a.value - b.value, a.error + b.error); }
real operator-(real a) { return {-a.value, a.error}; }
real operator*(real a, real b) {
    const double value = a.value * b.value;
    if (exact_zero(a) || exact_zero(b)) return {value, 0};
    return rounded(value, std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error);
}
real operator/(real a, real b) {
    const double value = a.value / b.value;
    if (b.error == 0) return rounded(value, a.error / std::fabs(b.value));
    if (b.error >= std::fabs(b.value)) return rounded(value, infinity);
    return rounded(value, (a.error + std::fabs(value) * b.error) / (std::fabs(b.value) - b.error));
}

real fmin(real a, real b) { return {(a.value < b.value ? a : b).value, std::max(a.error, b.error)}; }
real fmax(real a, real b) { return {(a.value > b.value ? a : b).value, std::max(a.error, b.error)}; }

real exp(real x) {
    const double value = std::exp(x.value);
    // Vectorised functions overflow a little early.
    if (value > 2e38 && value <= static_cast<double>(FLT_MAX)) return {value, infinity};
    return rounded(value, value * std::expm1(x.error), transcendental);
}
real log(real x) {
    const double error = x.error == 0 ? 0 : x.error < x.value ? x.error / (x.value - x.error) : infinity;
    return rounded(std::log(x.value), error, transcendental);
}
real sqrt(real x) {
    const double root = std::sqrt(x.value);
    return rounded(root, x.error == 0 ? 0 : std::min(std::sqrt(x.error), x.error / root));
}
real sin(real x) { return rounded(std::sin(x.value), x.error + transcendental * unit); }
real cos(real x) { return rounded(std::cos(x.value), x.error + transcendental * unit); }
real tanh(real x) {
    const double nearest = std::tanh(std::max(0.0, std::fabs(x.value) - x.error));
    return rounded(std::tanh(x.value), x.error * (1 - nearest * nearest), transcendental);
}
real erf(real x) {
    const double nearest = std::max(0.0, std::fabs(x.value) - x.error);
    const double slope = x.error == 0 ? 0 : 2 / std::sqrt(M_PI) * std::exp(-nearest * nearest);
    return rounded(std::erf(x.value), x.error * slope, transcendental);
}

real abs(real x) { return {std::fabs(x.value), x.error}; }

/// f, which is monotone between x.value - x.error and x.value + x.error.
static real monotone(double (*f)(double), real x, double roundings) {
    const double value = f(x.value);
    if (x.error == 0) return rounded(value, 0, roundings);
    const double below = f(x.value - x.error), above = f(x.value + x.error);
    return rounded(value, std::fmax(std::fabs(above - value), std::fabs(value - below)), roundings);
}
real floor(real x) {
    return monotone([](double a) { return std::floor(a); }, x, 0);
}
real ceil(real x) {
    return monotone([](double a) { return std::ceil(a); }, x, 0);
}
real trunc(real x) {
    return monotone([](double a) { return std::trunc(a); }, x, 0);
}
real nearbyint(real x) {
    return monotone([](double a) { return std::nearbyint(a); }, x, 0);
}
real cbrt(real x) {
    return monotone([](double a) { return std::cbrt(a); }, x, transcendental);
}
real exp2(real x) {
    return monotone([](double a) { return std::exp2(a); }, x, transcendental);
}
real expm1(real x) {
    return monotone([](double a) { return std::expm1(a); }, x, transcendental);
}
real log2(real x) {
    return monotone([](double a) { return std::log2(a); }, x, transcendental);
}
real log1p(real x) {
    return monotone([](double a) { return std::log1p(a); }, x, transcendental);
}
real asin(real x) {
    return monotone([](double a) { return std::asin(a); }, x, transcendental);
}
real acos(real x) {
    return monotone([](double a) { return std::acos(a); }, x, transcendental);
}
real atan(real x) {
    return monotone([](double a) { return std::atan(a); }, x, transcendental);
}
real sinh(real x) {
    return monotone([](double a) { return std::sinh(a); }, x, transcendental);
}
real cosh(real x) {
    return monotone([](double a) { return std::cosh(a); }, abs(x), transcendental);
}
real tan(real x) { // unless the error is 0, a pole may be within it
    return rounded(std::tan(x.value), x.error == 0 ? 0 : infinity, transcendental);
}
static real of_two(double value, real x, real y) {
    return rounded(value, x.error == 0 && y.error == 0 ? 0 : infinity, transcendental);
}
real pow(real x, real y) { return of_two(std::pow(x.value, y.value), x, y); }
real atan2(real y, real x) { return of_two(std::atan2(y.value, x.value), x, y); }
real fmod(real x, real y) { return of_two(std::fmod(x.value, y.value), x, y); }

static real chosen(bool sure, real taken, real other) {
    if (sure) return taken;
    return {taken.value, std::fmax(taken.error, std::fabs(taken.value - other.value) + other.error)};
}
real where_less(real a, real b, real yes, real no) {
    const bool less = a.value < b.value,
               sure = !(std::fabs(a.value - b.value) <= a.error + b.error) || (a.error == 0 && b.error == 0);
    return chosen(sure, less ? yes : no, less ? no : yes);
}
real where_equal(real a, real b, real yes, real no) {
    const bool equal = a.value == b.value,
               sure = !(std::fabs(a.value - b.value) <= a.error + b.error) || (a.error == 0 && b.error == 0);
    return chosen(sure, equal ? yes : no, equal ? no : yes);
}

static real sum_of(double value, double error, double magnitude, std::size_t n) {
    return rounded(value, error + (2 + std::sqrt(static_cast<double>(n))) * unit * magnitude);
}
real sum(const std::vector<real>& x) {
    double value = 0, error = 0, magnitude = 0;
    for (real a : x) {
        value += a.value;
        error += a.error;
        magnitude += std::fabs(a.value);
    }
    return sum_of(value, error, magnitude, x.size());
}
real dot(const std::vector<real>& x, const std::vector<real>& y) {
    std::vector<real> products(x.size());
    for (std::size_t k = 0; k < x.size(); ++k) products[k] = x[k] * y[k];
    return sum(products);
}

namespace {
std::unordered_map<const float*, real> written;
}
void forget_all() { written.clear(); }
real largest(const std::vector<real>& x) {
    real m{-infinity, 0};
    for (real a : x) {
        if (std::isnan(a.value)) return a;
        m = {std::max(m.value, a.value), std::max(m.error, a.error)};
    }
    return m;
}

void write(float* p, real x) {
    *p = static_cast<float>(x.value);
    written[p] = x;
}
real read(const float* p) {
    const auto found = written.find(p);
    if (found != written.end()) {
        const float as_written = static_cast<float>(found->second.value);
        if (std::memcmp(&as_written, p, sizeof(float)) == 0) return found->second;
    }
    return {static_cast<double>(*p), 0};
}

} // namespace oracle
