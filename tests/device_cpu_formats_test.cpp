// SPDX-License-Identifier: Apache-2.0
// Weight formats of the CPU: a product with packed weights equals the product with the numbers that the format stores.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/vector_arch.hpp"
#include "apriori/expr/plan.hpp"
#include "weight_formats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

using namespace apriori;

namespace {

template <class Arch, class F, index_t N, index_t K>
void product(index_t rows) {
    using device_type = cpu<Arch>;
    using P = typename device_type::template packed<F>;
    SCOPED_TRACE(testing::Message() << Arch::name() << " " << F::name << " " << rows << " x " << N << " x " << K);
    std::mt19937 engine(static_cast<unsigned>(N * 1000 + K));
    const auto number = [&] { return static_cast<float>(static_cast<int>(engine() % 2001) - 1000) * 1e-3f; };
    std::vector<std::vector<float>> w(N, std::vector<float>(K));
    for (auto& row : w)
        for (float& x : row) x = number() * 0.1f;
    w[0].assign(K, 0.0f); // zeros for one output
    if (K > 8)
        w[1] = [&] {
            auto r = w[1];
            r[0] = 3e-8f, r[1] = -6e-5f, r[2] = 5.9604645e-8f, r[3] = 6.1035156e-5f;
            return r;
        }(); // f16's subnormals

    device_type d;
    const host_buffer memory(P::stored_bytes(N, K));
    std::memset(memory.data(), 0xff, memory.size()); // NaN, which shows if padding is read before it is written
    const P packed(memory.data(), N, K);
    for (index_t j = 0; j < N; ++j)
        ASSERT_TRUE(d.pack(packed, j, std::span<const float>(w[static_cast<std::size_t>(j)])).ok());

    tensor<float, extents<dyn, K>> x{extents<dyn, K>(rows)};
    for (float& v : x.flat()) v = number();
    tensor<float, extents<dyn, N>> y{extents<dyn, N>(rows)};
    const auto e = linear(x, weight<P, N, K>{packed});
    const host_buffer space(plan<device_type>(e).workspace);
    ASSERT_TRUE(assign(d, space.span(), y.view(), e).ok());
    for (index_t r = 0; r < rows; ++r)
        for (index_t j = 0; j < N; ++j) {
            double sum = 0, magnitude = 0, weights = 0, top = 0;
            for (index_t k = 0; k < K; ++k) {
                const float value = x.data()[r * K + k];
                top = std::max(top, static_cast<double>(std::fabs(value)));
                weights +=
                    std::fabs(weight_formats::kept<F>(w[static_cast<std::size_t>(j)], static_cast<std::size_t>(k)));
                const double activation = std::is_same_v<F, bf16a16>
                                              ? static_cast<double>(static_cast<float>(bfloat16(value)))
                                              : static_cast<double>(value);
                const double term =
                    activation * weight_formats::kept<F>(w[static_cast<std::size_t>(j)], static_cast<std::size_t>(k));
                sum += term;
                magnitude += std::fabs(term);
            }
            // K roundings of partial sums, and of the scale: at most K + 3 half units in the last place of the
            // magnitude. Where a matrix unit sums three terms, each is at most 2^-7 of the one before. Activations of
            // w4 may be fixed point, with half steps of at most 2^-20 of the largest.
            const double bound =
                (static_cast<double>(K) * (1 + 0x1p-6) + 3) * std::numeric_limits<float>::epsilon() / 2 * magnitude +
                static_cast<double>(K) * 0x1p-125 + (std::is_same_v<F, w4> ? top * weights * 0x1p-20 : 0.0);
            ASSERT_LE(std::fabs(y.data()[r * N + j] - sum), bound) << "row " << r << ", output " << j;
        }
}

template <class Arch, class F>
void all_products() {
    product<Arch, F, 70, 53>(1);
    product<Arch, F, 70, 53>(17);
    product<Arch, F, 33, 64>(5);
    product<Arch, F, 1, 1>(3);
    product<Arch, F, 64, 1>(2);
    product<Arch, F, 5, 1029>(13); // past blocking::depth, and not a multiple of a group
    product<Arch, F, 5, 200>(301); // more rows than are kept for the epilogue at a time
}

template <class F>
class Formats : public testing::Test {};
#ifdef APRIORI_TEST_FORMATS // from tests/cross: formats whose instructions differ
using formats = testing::Types<APRIORI_TEST_FORMATS>;
#else
using formats = testing::Types<f32, f16, bf16, bf16a16, w8, w4>;
#endif
TYPED_TEST_SUITE(Formats, formats);

TYPED_TEST(Formats, ProductsAreThoseOfTheWeightsTheyKeep) { all_products<default_arch, TypeParam>(); }
#ifndef APRIORI_TEST_EMULATED
TYPED_TEST(Formats, ProductsOfOneLane) { all_products<scalar_arch, TypeParam>(); }
TYPED_TEST(Formats, ProductsOfTheCompilersVectors) { all_products<vector_arch<4>, TypeParam>(); }
#endif

// ---- w8a8: activations are integers too ----------------------------------------------------------------------------

/// x [rows, K] times the packed w [N][K], in a format on an architecture.
template <class Arch, class F, index_t N, index_t K>
std::vector<float> product_of(const std::vector<float>& x, const std::vector<std::vector<float>>& w) {
    using P = typename cpu<Arch>::template packed<F>;
    cpu<Arch> d;
    const host_buffer memory(P::stored_bytes(N, K));
    std::memset(memory.data(), 0xff, memory.size());
    const P packed(memory.data(), N, K);
    for (index_t j = 0; j < N; ++j)
        EXPECT_TRUE(d.pack(packed, j, std::span<const float>(w[static_cast<std::size_t>(j)])).ok());
    const auto rows = static_cast<index_t>(x.size()) / K;
    const view<const float, extents<dyn, K>> in(x.data(), extents<dyn, K>(rows));
    std::vector<float> y(static_cast<std::size_t>(rows * N));
    const auto e = linear(in, weight<P, N, K>{packed});
    const host_buffer space(plan<cpu<Arch>>(e).workspace);
    EXPECT_TRUE(assign(d, space.span(), view<float, extents<dyn, N>>(y.data(), extents<dyn, N>(rows)), e).ok());
    return y;
}

/// With integers as inputs nothing is rounded before the products, and the sums have to be exact.
template <class Arch, index_t N, index_t K>
void exact_integers(index_t rows, bool extremes) {
    SCOPED_TRACE(testing::Message() << Arch::name() << " " << rows << " x " << N << " x " << K << " " << extremes);
    std::mt19937 engine(static_cast<unsigned>(K));
    const auto integer = [&] {
        return extremes ? (engine() % 2 ? 127.0f : -127.0f)
                        : static_cast<float>(static_cast<int>(engine() % 255) - 127);
    };
    std::vector<std::vector<float>> w(N, std::vector<float>(K));
    for (auto& row : w) {
        for (float& v : row) v = integer();
        row[0] = 127.0f; // so that the scale is 1
    }
    std::vector<float> x(static_cast<std::size_t>(rows * K));
    for (float& v : x) v = integer();
    for (index_t r = 0; r < rows; ++r) x[static_cast<std::size_t>(r * K)] = -127.0f;
    if (extremes) // a row and an output with the largest possible sum
        for (index_t i = 0; i < K; ++i)
            x[static_cast<std::size_t>(i)] = -127.0f, w[0][static_cast<std::size_t>(i)] = 127.0f;
    const auto y = product_of<Arch, w8a8, N, K>(x, w);
    for (index_t r = 0; r < rows; ++r)
        for (index_t j = 0; j < N; ++j) {
            std::int64_t sum = 0;
            for (index_t i = 0; i < K; ++i)
                sum += static_cast<std::int64_t>(x[static_cast<std::size_t>(r * K + i)]) *
                       static_cast<std::int64_t>(w[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)]);
            ASSERT_EQ(y[static_cast<std::size_t>(r * N + j)], static_cast<float>(sum))
                << "row " << r << ", output " << j;
        }
}
template <class Arch>
void exact_integers_everywhere() {
    for (const bool extremes : {false, true}) {
        exact_integers<Arch, 33, 5>(1, extremes);
        exact_integers<Arch, 70, 53>(17, extremes);
        exact_integers<Arch, 3, 4099>(5, extremes); // several slices of a panel
    }
    exact_integers<Arch, 2, 65536>(1, true); // 255 * 127 * 65536 is the largest intermediate sum
}

TEST(FormatsOfIntegers, SumsAreExact) {
    exact_integers_everywhere<scalar_arch>();
    exact_integers_everywhere<default_arch>();
#ifdef __SSE2__
    exact_integers_everywhere<xsimd::sse2>();
#endif
#ifdef __AVX2__
    exact_integers_everywhere<xsimd::avx2>();
#endif
}

struct operands {
    std::vector<std::vector<float>> w; ///< [n][k]
    std::vector<float> x;              ///< [rows, k]
};
/// Multiples of a thousandth from -1 to 1.
operands random_operands(unsigned seed, index_t rows, index_t n, index_t k) {
    std::mt19937 engine(seed);
    const auto number = [&] { return static_cast<float>(static_cast<int>(engine() % 2001) - 1000) * 1e-3f; };
    operands o{{static_cast<std::size_t>(n), std::vector<float>(static_cast<std::size_t>(k))},
               std::vector<float>(static_cast<std::size_t>(rows * k))};
    for (auto& row : o.w)
        for (float& v : row) v = number();
    for (float& v : o.x) v = number();
    return o;
}

/// F stores weights as Weights does.
template <class F, class Weights, class Arch = default_arch>
void products_err_by_half_a_step() {
    constexpr index_t N = 40, K = 301, rows = 7;
    auto [w, x] = random_operands(3, rows, N, K);
    for (index_t i = 0; i < K; ++i) x[static_cast<std::size_t>(2 * K + i)] = 0.0f; // a row of zeros
    x[3 * K] = 100.0f;                                                             // one number sets its scale
    const auto y = product_of<Arch, F, N, K>(x, w);
    for (index_t r = 0; r < rows; ++r) {
        double top = 0;
        for (index_t i = 0; i < K; ++i)
            top = std::max(top, std::fabs(static_cast<double>(x[static_cast<std::size_t>(r * K + i)])));
        for (index_t j = 0; j < N; ++j) {
            double sum = 0, magnitude = 0;
            for (index_t i = 0; i < K; ++i) {
                const double v =
                    weight_formats::kept<Weights>(w[static_cast<std::size_t>(j)], static_cast<std::size_t>(i));
                sum += v * static_cast<double>(x[static_cast<std::size_t>(r * K + i)]);
                magnitude += std::fabs(v);
            }
            // half a step of each activation, and a few roundings
            ASSERT_LE(std::fabs(y[static_cast<std::size_t>(r * N + j)] - sum), magnitude * top / 127 * 0.5 * (1 + 1e-5))
                << "row " << r << ", output " << j;
        }
    }
}

TEST(FormatsOfIntegers, ProductsErrByHalfAStepOfEachActivation) {
    products_err_by_half_a_step<w8a8, w8>();
    products_err_by_half_a_step<w4a8, w4>();
    products_err_by_half_a_step<w4a8, w4, scalar_arch>();
}

TEST(FormatsOfIntegers, ProductsAreThoseOfOneLaneToTheBit) {
    constexpr index_t N = 40, K = 301, rows = 7;
    const auto [w, x] = random_operands(5, rows, N, K);
    EXPECT_EQ((product_of<default_arch, w8a8, N, K>(x, w)), (product_of<scalar_arch, w8a8, N, K>(x, w)));
    EXPECT_EQ((product_of<default_arch, w4a8, N, K>(x, w)), (product_of<scalar_arch, w4a8, N, K>(x, w)));
}

TEST(FormatsOfIntegers, WhatIsNoNumberStaysInItsRow) {
    constexpr index_t N = 3, K = 70;
    const std::vector<std::vector<float>> w(N, std::vector<float>(K, 0.5f));
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> x(3 * K, 1.0f);
        x[K + 66] = bad;
        const auto y = product_of<default_arch, w8a8, N, K>(x, w);
        for (std::size_t j = 0; j < N; ++j) {
            EXPECT_FLOAT_EQ(y[j], 35.0f);
            EXPECT_TRUE(std::isnan(y[N + j]));
            EXPECT_FLOAT_EQ(y[2 * N + j], 35.0f);
        }
    }
}

TEST(FormatsOfIntegers, RefuseMoreInputsThanASumHolds) {
    constexpr index_t K = 65537;
    using P = cpu<>::packed<w8a8>;
    const host_buffer memory(P::stored_bytes(1, K));
    const std::vector<float> row(K, 1.0f);
    cpu<> d;
    EXPECT_FALSE(d.pack(P(memory.data(), 1, K), 0, std::span<const float>(row)).ok());
}

TEST(Formats, RefuseWhatTheyCannotHold) {
    const auto packs = [](auto format, float value) {
        using P = cpu<>::packed<decltype(format)>;
        const host_buffer memory(P::stored_bytes(1, 2));
        const float row[2] = {1.0f, value};
        cpu<> d;
        return d.pack(P(memory.data(), 1, 2), 0, std::span<const float>(row)).ok();
    };
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (const float bad : {inf, -inf, nan}) {
        EXPECT_TRUE(packs(f32{}, bad));
        EXPECT_FALSE(packs(f16{}, bad));
        EXPECT_FALSE(packs(bf16{}, bad));
        EXPECT_FALSE(packs(bf16a16{}, bad));
        EXPECT_FALSE(packs(w8{}, bad));
        EXPECT_FALSE(packs(w4{}, bad));
        EXPECT_FALSE(packs(w4a8{}, bad));
        EXPECT_FALSE(packs(w8a8{}, bad));
    }
    EXPECT_TRUE(packs(f16{}, 65504.0f));
    EXPECT_FALSE(packs(f16{}, 65520.0f));
    EXPECT_TRUE(packs(bf16{}, 65520.0f));
}

} // namespace
