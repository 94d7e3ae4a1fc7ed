// SPDX-License-Identifier: Apache-2.0
// Weight formats of the CPU: a product with packed weights is the product with the weights that the format stands for.
#include "apriori/device/cpu/device.hpp"
#include "apriori/expr/plan.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

using namespace apriori;

namespace {

/// The number that a format keeps for x, by its definition in core/weight_format.hpp and in double; `row` is its output's
/// weights and `i` its place among them.
template <class F>
double kept(const std::vector<float>& row, std::size_t i) {
    const double x = row[i];
    const auto nearest = [](double v, int digits) { // to `digits` binary digits, ties to even
        if (v == 0) return 0.0;
        int e;
        const double m = std::frexp(v, &e);
        return std::ldexp(std::nearbyint(std::ldexp(m, digits)), e - digits);
    };
    const auto scaled = [&](std::size_t first, std::size_t last, float levels) {
        float top = 0;
        for (std::size_t j = first; j < last; ++j) top = std::max(top, std::fabs(row[j]));
        const float scale = top / levels;
        return scale > 0 ? std::nearbyint(row[i] / scale) * static_cast<double>(scale) : 0.0;
    };
    if constexpr (std::is_same_v<F, f32>) return x;
    if constexpr (std::is_same_v<F, bf16>) return nearest(x, 8);
    if constexpr (std::is_same_v<F, f16>)
        return std::fabs(x) < 0x1p-14 ? std::nearbyint(x * 0x1p24) * 0x1p-24 : nearest(x, 11);
    if constexpr (std::is_same_v<F, w8>) return scaled(0, row.size(), 127.0f);
    if constexpr (std::is_same_v<F, w4>) {
        const std::size_t g = static_cast<std::size_t>(w4::group), first = i / g * g;
        return scaled(first, std::min(first + g, row.size()), 7.0f);
    }
}

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
    w[0].assign(K, 0.0f); // an output of zeros
    if (K > 8)
        w[1] = [&] {
            auto r = w[1];
            r[0] = 3e-8f, r[1] = -6e-5f, r[2] = 5.9604645e-8f, r[3] = 6.1035156e-5f;
            return r;
        }(); // f16's subnormals

    device_type d;
    const host_buffer memory(P::stored_bytes(N, K));
    std::memset(memory.data(), 0xff, memory.size()); // NaN: padding that is read without having been written shows
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
            double sum = 0, magnitude = 0;
            for (index_t k = 0; k < K; ++k) {
                const double term = static_cast<double>(x.data()[r * K + k]) *
                                    kept<F>(w[static_cast<std::size_t>(j)], static_cast<std::size_t>(k));
                sum += term;
                magnitude += std::fabs(term);
            }
            // K roundings of partial sums, and of the scale: at most K + 2 units in the last place of the magnitude
            const double bound =
                (static_cast<double>(K) + 2) * std::numeric_limits<float>::epsilon() / 2 * magnitude + 1e-37;
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
    product<Arch, F, 5, 1029>(13); // past blocking::depth, and no multiple of a group
}

template <class F>
class Formats : public testing::Test {};
using formats = testing::Types<f32, f16, bf16, w8, w4>;
TYPED_TEST_SUITE(Formats, formats);

TYPED_TEST(Formats, ProductsAreThoseOfTheWeightsTheyKeep) { all_products<default_arch, TypeParam>(); }
TYPED_TEST(Formats, ProductsOfOneLane) { all_products<scalar, TypeParam>(); }

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
        EXPECT_FALSE(packs(w8{}, bad));
        EXPECT_FALSE(packs(w4{}, bad));
    }
    EXPECT_TRUE(packs(f16{}, 65504.0f));
    EXPECT_FALSE(packs(f16{}, 65520.0f));
    EXPECT_TRUE(packs(bf16{}, 65520.0f));
}

} // namespace
