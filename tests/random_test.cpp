// SPDX-License-Identifier: Apache-2.0
// torch's normal numbers compared with recorded ones. The counter-based generator compared with published vectors and
// with exact mathematics, and split in every way.
#include "apriori/core/philox.hpp"
#include "apriori/core/torch_random.hpp"
#include "apriori/io/safetensors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace apriori {
namespace {

std::vector<float> recorded(const io::weights_source& source, const std::string& name) {
    const auto at = source.find(name);
    EXPECT_TRUE(at.has_value()) << name;
    if (!at) return {};
    std::vector<float> values(static_cast<std::size_t>(source.info(*at).size()));
    EXPECT_TRUE(source.read(*at, 0, values).ok());
    return values;
}

TEST(TorchGenerator, DrawsWhatTorchDraws) {
    const auto source =
        io::weights_source::open_file(std::string(APRIORI_TEST_DATA) + "/cases/torch_randn.safetensors");
    ASSERT_TRUE(source.ok()) << source.error().message;
    std::size_t compared = 0;
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{42},
                                     (std::uint64_t{1} << 31) + 7, (std::uint64_t{1} << 63) - 1}) {
        torch_generator generator(seed);
        int draw = 0;
        for (const int n : {16, 8, 17, 5, 64, 768, 31, 1, 1000, 15}) {
            const auto want =
                recorded(*source, std::to_string(seed) + "." + std::to_string(draw) + "." + std::to_string(n));
            std::vector<float> got(static_cast<std::size_t>(n));
            generator.randn(got);
            ASSERT_EQ(want.size(), got.size());
            for (std::size_t i = 0; i < got.size(); ++i, ++compared)
                ASSERT_NEAR(got[i], want[i], 1e-6f) << "seed " << seed << ", draw " << draw << " of " << n << ", " << i;
            ++draw;
        }
    }
    EXPECT_EQ(compared, source->size() == 50 ? 5u * 1925u : 0u) << "every recorded draw was compared";
}

TEST(TorchGenerator, IsTheMersenneTwister) {
    torch_generator ours(5489);
    std::mt19937 theirs(5489);
    for (int i = 0; i < 2000; ++i) ASSERT_EQ(ours.bits(), theirs()) << i;
}

TEST(TorchGenerator, SeedingAgainForgetsTheKeptNumber) {
    torch_generator g(3);
    std::vector<float> first(3), again(3);
    g.randn(first); // the second number of a pair is kept
    g.manual_seed(3);
    g.randn(again);
    EXPECT_EQ(first, again);
}

TEST(TorchGenerator, UsesTheLower32BitsOfASeed) {
    torch_generator a(7), b((std::uint64_t{5} << 32) + 7), c(8);
    EXPECT_EQ(a.bits(), b.bits());
    EXPECT_NE(a.bits(), c.bits());
}

// The test vectors of Random123 (kat_vectors, philox 4x32 10).
static_assert(philox4x32({{0, 0, 0, 0}}, 0) == four<std::uint32_t>{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
static_assert(philox4x32({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffffffffffff) ==
              four<std::uint32_t>{{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
static_assert(philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822) ==
              four<std::uint32_t>{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});

TEST(Philox, AnySplitDrawsTheSameNumbers) {
    std::vector<float> whole(1000), parts(1000);
    philox_generator(9, 4).randn(whole);
    philox_generator g(9, 4);
    std::mt19937 engine(1);
    for (std::size_t i = 0; i < parts.size();) {
        const std::size_t n = std::min<std::size_t>(engine() % 9, parts.size() - i);
        g.randn(std::span(parts).subspan(i, n));
        i += n;
    }
    EXPECT_EQ(whole, parts);
    for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(philox_normal(9, 4, i), whole[i]);
    g.seek(500);
    g.randn(std::span(parts).first(7));
    EXPECT_TRUE(std::equal(parts.begin(), parts.begin() + 7, whole.begin() + 500));
    EXPECT_EQ(g.position(), 507u);
}

TEST(Philox, SeedsAndStreamsDiffer) {
    EXPECT_NE(philox_normal(1, 0, 0), philox_normal(2, 0, 0));
    EXPECT_NE(philox_normal(1, 0, 0), philox_normal(1, 1, 0));
    EXPECT_NE(philox_normal(1, 0, 0), philox_normal(std::uint64_t{1} << 40, 0, 0));
}

TEST(Philox, TransformIsBoxAndMullers) {
    for (std::uint64_t block = 0; block < 50000; ++block) {
        const auto b = static_cast<std::uint32_t>(block);
        const auto words = philox4x32({{b, 0, 5, 0}}, 11);
        const auto got = philox_normal4(11, 5, block);
        for (int pair = 0; pair < 4; pair += 2) {
            const double u = static_cast<double>(static_cast<float>(words.at[pair])) * 0x1p-32 + 0x1p-33;
            const double radius = std::sqrt(-2.0 * std::log(std::min(u, 1.0)));
            const double angle = 2.0 * 3.14159265358979323846 * words.at[pair + 1] * 0x1p-32;
            ASSERT_NEAR(got.at[pair], radius * std::cos(angle), 2e-6) << block;
            ASSERT_NEAR(got.at[pair + 1], radius * std::sin(angle), 2e-6) << block;
        }
    }
}

TEST(Philox, ExtremesAreFinite) {
    EXPECT_EQ(detail::minus_two_log(1.0f), 0.0f);
    EXPECT_NEAR(detail::minus_two_log(0x1p-33f), 66.0 * std::log(2.0), 1e-5);
    for (const std::uint32_t turns :
         {0U, 0x1fffffffU, 0x20000000U, 0x7fffffffU, 0x80000000U, 0xdfffffffU, 0xffffffffU}) {
        const auto d = detail::cos_sin_turns(turns);
        EXPECT_NEAR(d.cos, std::cos(2.0 * 3.14159265358979323846 * turns * 0x1p-32), 2e-7) << turns;
        EXPECT_NEAR(d.sin, std::sin(2.0 * 3.14159265358979323846 * turns * 0x1p-32), 2e-7) << turns;
    }
}

/// These bits are the same on every device and with every compiler flag. Changing them would change everyone's
/// pictures.
TEST(Philox, BitsAreFixed) {
    EXPECT_EQ(philox_normal4(2024, 3, 1),
              (four<float>{{0x1.234ffp-5f, -0x1.d8f87ap-3f, -0x1.70d75cp-1f, -0x1.da8088p-3f}}));
    std::uint64_t hash = 0;
    for (std::uint64_t block = 0; block < 1000000; ++block)
        for (const float x : philox_normal4(7, 1, block).at)
            hash = hash * 6364136223846793005ULL + std::bit_cast<std::uint32_t>(x);
    EXPECT_EQ(hash, 0xe24bea1230a8669cULL);
}

TEST(Philox, MomentsAreThoseOfTheNormalDistribution) {
    constexpr std::size_t n = 1 << 20;
    std::vector<float> x(n);
    philox_generator(123).randn(x);
    double sum = 0.0, square = 0.0, fourth = 0.0, neighbours = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        const double v = x[i];
        sum += v;
        square += v * v;
        fourth += v * v * v * v;
        if (i > 0) neighbours += v * x[i - 1];
    }
    const double sigma = 1.0 / std::sqrt(static_cast<double>(n)); // five standard errors each
    EXPECT_NEAR(sum / n, 0.0, 5 * sigma);
    EXPECT_NEAR(square / n, 1.0, 5 * std::sqrt(2.0) * sigma);
    EXPECT_NEAR(fourth / n, 3.0, 5 * std::sqrt(96.0) * sigma);
    EXPECT_NEAR(neighbours / n, 0.0, 5 * sigma);
}

} // namespace
} // namespace apriori
