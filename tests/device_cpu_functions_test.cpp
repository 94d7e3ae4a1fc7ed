// SPDX-License-Identifier: Apache-2.0
// The functions of the CPU device compared with double precision, for every 1021st float and for each vector width of
// this machine. The bounds are those in docs/devices.md.
#include "apriori/core/floats.hpp"
#include "apriori/device/cpu/library_functions.hpp"
#include "apriori/device/cpu/vector_arch.hpp"
#include "apriori/expr/functions.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

using namespace apriori;

namespace {

// 2^-23; an ulp of a number is epsilon / 2 to epsilon times the number
constexpr double epsilon = std::numeric_limits<float>::epsilon();

APRIORI_BEGIN_EXACT_MATH // this file is also compiled with -ffast-math
    /// Compares f of all lanes with the exact r, within an error of bound(x, r(x)), for the numbers that `wanted`
    /// accepts.
    template <class V, class F, class Exact, class Bound, class Wanted>
    void compare(const char* name, F f, Exact r, Bound bound, Wanted wanted) {
    constexpr int L = lanes<V>::count;
#ifdef APRIORI_TEST_EMULATED // as in tests/cross: one in 64 of them
    constexpr std::uint64_t stride = 65521;
#else
    constexpr std::uint64_t stride = 1021;
#endif
    float in[L], out[L];
    double worst = 0;
    float at = 0;
    for (std::uint64_t b = 0; b < std::uint64_t{1} << 32; b += stride * L) {
        for (int i = 0; i < L; ++i) {
            const auto bits = static_cast<std::uint32_t>(b + stride * static_cast<std::uint64_t>(i));
            in[i] = std::bit_cast<float>(bits);
            if (!wanted(in[i])) in[i] = 0.5f;
        }
        cpu_device::store(out, f(lanes<V>::load(in)));
        for (int i = 0; i < L; ++i) {
            const double exact = r(static_cast<double>(in[i]));
            const double excess =
                std::fabs(static_cast<double>(out[i]) - exact) / bound(static_cast<double>(in[i]), exact);
            if (!(excess <= worst)) worst = excess, at = in[i]; // also for NaN
        }
    }
    EXPECT_LE(worst, 1.0) << name << " errs most at " << at << ", by " << worst << " of its bound";
}
APRIORI_END_EXACT_MATH

template <class V>
void all_functions() {
    const auto finite = [](float x) { return is_finite(x); };
    const auto relative = [](double ulps) {
        return [=](double, double exact) { return ulps * epsilon * std::fabs(exact) + 1.2e-38; };
    };
    const auto of_x = [](double ulps) {
        return [=](double x, double) { return ulps * epsilon * std::fabs(x) + 1.2e-38; };
    };
    compare<V>(
        "exp", [](V x) { return exp(x); }, [](double x) { return std::exp(x); }, relative(1.25),
        [](float x) { return x < 88.37f; });
    compare<V>(
        "exp_of_difference", [](V x) { return cpu_device::exp_of_difference(x); }, [](double x) { return std::exp(x); },
        [](double x, double exact) { return (1.25 + std::fabs(x)) * epsilon * exact + 1.2e-38; },
        [](float x) { return x <= 0 && is_finite(x); });
    compare<V>(
        "log", [](V x) { return log(x); }, [](double x) { return std::log(x); }, relative(1),
        [](float x) { return x >= std::numeric_limits<float>::min() && is_finite(x); });
    compare<V>(
        "sqrt", [](V x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, relative(0.5),
        [](float x) { return x >= 0 && is_finite(x); });
    compare<V>("erf", [](V x) { return erf(x); }, [](double x) { return std::erf(x); }, relative(3.5), finite);
    compare<V>("tanh", [](V x) { return tanh(x); }, [](double x) { return std::tanh(x); }, relative(1.5), finite);
    const auto exact = [](double, double) { return 1e-300; };
    compare<V>("abs", [](V x) { return abs(x); }, [](double x) { return std::fabs(x); }, exact, finite);
    compare<V>("floor", [](V x) { return floor(x); }, [](double x) { return std::floor(x); }, exact, finite);
    compare<V>("ceil", [](V x) { return ceil(x); }, [](double x) { return std::ceil(x); }, exact, finite);
    compare<V>("trunc", [](V x) { return trunc(x); }, [](double x) { return std::trunc(x); }, exact, finite);
    compare<V>(
        "nearbyint", [](V x) { return nearbyint(x); }, [](double x) { return std::nearbyint(x); }, exact, finite);
    compare<V>( // -ffast-math flushes denormals, whose roots are not small
        "cbrt", [](V x) { return cbrt(x); }, [](double x) { return std::cbrt(x); }, relative(1),
        [](float x) { return is_finite(x) && std::fabs(x) >= std::numeric_limits<float>::min(); });
    // a timestep times a frequency of at most 1; the bound is that of rounding x itself
    const auto wave = [](double x, double) { return epsilon * std::fmax(1.0, std::fabs(x)); };
    const auto times = [](float x) { return std::fabs(x) <= 2000.0f; };
    compare<V>("cos", [](V x) { return cos(x); }, [](double x) { return std::cos(x); }, wave, times);
    compare<V>("sin", [](V x) { return sin(x); }, [](double x) { return std::sin(x); }, wave, times);
    compare<V>(
        "sigmoid", fn::sigmoid{}, [](double x) { return 1 / (1 + std::exp(-x)); }, relative(2),
        [](float x) { return x > -88.37f && is_finite(x); });
    compare<V>("silu", fn::silu{}, [](double x) { return x / (1 + std::exp(-x)); }, of_x(1), finite);
    compare<V>(
        "quick_gelu", fn::quick_gelu{}, [](double x) { return x / (1 + std::exp(-1.702 * x)); }, of_x(1), finite);
    compare<V>(
        "gelu", fn::gelu{}, [](double x) { return 0.5 * x * std::erfc(-x * 0.70710678118654752440); }, of_x(2), finite);
    compare<V>("mish", fn::mish{}, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, of_x(1.5), finite);
}

TEST(CpuFunctions, ErrAsStated) { all_functions<cpu_device::value_t<default_arch>>(); }
#ifndef APRIORI_TEST_EMULATED
TEST(CpuFunctions, ErrAsStatedInTheCompilersVectors) { all_functions<cpu_device::value_t<vector_arch<4>>>(); }
#endif
#ifdef __SSE2__
TEST(CpuFunctions, ErrAsStatedOnSse2) { all_functions<cpu_device::value_t<xsimd::sse2>>(); }
#endif
#ifdef __AVX2__
TEST(CpuFunctions, ErrAsStatedOnAvx2) { all_functions<cpu_device::value_t<xsimd::avx2>>(); }
#endif

/// At the ends of the range: no finite number becomes NaN, and NaN stays NaN.
TEST(CpuFunctions, AtTheEnds) {
    using V = cpu_device::value_t<default_arch>;
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const auto one = [](auto f, float x) {
        float out[lanes<V>::count];
        cpu_device::store(out, f(lanes<V>::set(x)));
        return out[0];
    };
    const auto e = [](V x) { return exp(x); };
    EXPECT_EQ(one(e, -inf), 0.0f);
    EXPECT_EQ(one(e, -104.0f), 0.0f);
    EXPECT_EQ(one(e, inf), inf);
    EXPECT_EQ(one(e, 89.0f), inf);
    EXPECT_EQ(one(e, 0.0f), 1.0f);
    const auto difference = [](V x) { return cpu_device::exp_of_difference(x); };
    EXPECT_EQ(one(difference, -inf), 0.0f);
    EXPECT_EQ(one(difference, -3.4e38f), 0.0f);
    EXPECT_EQ(one(difference, 0.0f), 1.0f);
    EXPECT_TRUE(is_nan(one(difference, nan)));
    for (const float x : {3.4e38f, 1e30f, 100.0f}) {
        EXPECT_EQ(one(fn::gelu{}, x), x);
        EXPECT_EQ(one(fn::silu{}, x), x);
        EXPECT_EQ(one(fn::quick_gelu{}, x), x);
        EXPECT_EQ(one(fn::gelu{}, -x), 0.0f);
        EXPECT_EQ(std::fabs(one(fn::silu{}, -x)), 0.0f);
    }
    for (const float x :
         {4096.0f, 4097.0f, 123456.0f, 3.4e38f, -1e10f}) { // beyond the range of the vectors' formula: the C library's
        EXPECT_NEAR(one([](V y) { return sin(y); }, x), std::sin(double{x}), 1e-6) << x;
        EXPECT_NEAR(one([](V y) { return cos(y); }, x), std::cos(double{x}), 1e-6) << x;
    }
    const auto l = [](V x) { return log(x); };
    EXPECT_EQ(one(l, 0.0f), -inf);
    EXPECT_EQ(one(l, inf), inf);
    EXPECT_TRUE(is_nan(one(l, -1.0f)));
    const auto root = [](V x) { return sqrt(x); };
    EXPECT_EQ(one(root, inf), inf);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(one(root, -0.0f)), 0x80000000u);
    const auto t = [](V x) { return tanh(x); };
    EXPECT_EQ(one(t, inf), 1.0f);
    EXPECT_EQ(one(t, -inf), -1.0f);
    EXPECT_TRUE(is_nan(one(t, nan)));
    for (const float x : {nan, inf, -inf}) {
        EXPECT_TRUE(is_nan(one([](V y) { return sin(y); }, x)));
        EXPECT_TRUE(is_nan(one([](V y) { return cos(y); }, x)));
        EXPECT_TRUE(is_nan(one([](V y) { return sqrt(y); }, x == inf ? nan : x)));
    }
    EXPECT_TRUE(is_nan(one(l, nan)));
    EXPECT_TRUE(is_nan(one(e, nan)));
    EXPECT_TRUE(is_nan(one(fn::gelu{}, nan)));
    EXPECT_TRUE(is_nan(one(fn::silu{}, nan)));
    EXPECT_TRUE(is_nan(one(fn::mish{}, nan)));
    EXPECT_TRUE(is_nan(one(fn::quick_gelu{}, nan)));
}

} // namespace
