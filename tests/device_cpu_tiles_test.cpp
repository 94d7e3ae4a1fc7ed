// SPDX-License-Identifier: Apache-2.0
// Products on a matrix unit: an emulated one is compared with sums in double, and the machine's own with the emulated
// one, bit for bit.
#include "apriori/device/cpu/device.hpp"
#include "tile_emulation.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

using namespace apriori;
using namespace apriori::cpu_device;

namespace {

// The kernels need panels of 16 or 32 outputs, and no instructions beyond those of the architecture.
#if defined(__AVX512BW__) || defined(__AVX2__)
using arch = default_arch;

template <class Unit>
using three_terms = bfloat16_rows<arch, Unit, 3>;
template <class Unit>
using one_term = bfloat16_rows<arch, Unit, 1>;
template <class Unit>
using bytes = quantized_tiles<arch, Unit, 1>;
template <class Unit>
using digits = quantized_tiles<arch, Unit, 4>;

struct problem {
    index_t rows, n, k;
    std::vector<float> x, w; ///< [rows, k], [n, k]

    problem(index_t r, index_t outputs, index_t inputs) : rows(r), n(outputs), k(inputs) {
        std::mt19937 engine(static_cast<unsigned>(r * 131 + outputs * 17 + inputs));
        std::uniform_real_distribution<float> number(-1.0f, 1.0f);
        x.resize(to_size(rows * k)), w.resize(to_size(n * k));
        for (float& v : x) v = number(engine) * std::exp2(std::round(8 * number(engine)));
        for (float& v : w) v = number(engine);
    }
};

template <class Format>
std::vector<std::byte> pack(const problem& p) {
    using P = packed<arch, Format>;
    std::vector<std::byte> memory(P::stored_bytes(p.n, p.k), std::byte{0xff}); // NaN shows if padding is not written
    EXPECT_TRUE(pack_rows(P(memory.data(), p.n, p.k), 0, std::span<const float>(p.w)).ok());
    return memory;
}

/// x w^T, [rows, n], with the left operand of type Left.
template <class Format, class Left>
std::vector<float> product(const problem& p) {
    auto weights = pack<Format>(p);
    const packed<arch, Format> w(weights.data(), p.n, p.k);
    std::size_t scratch = Left::bytes(p.rows, p.k);
    if constexpr (requires { Left::sum_bytes(p.rows, p.n, p.k); }) scratch += Left::sum_bytes(p.rows, p.n, p.k);
    const host_buffer memory(scratch);
    std::memset(memory.data(), 0xff, memory.size());
    const Left left(memory.data(), p.rows, p.k);
    const ops::mapped<el::matrix> input{{p.x.data(), row_map{.inner = p.k}}};
    for (index_t r = 0; r < p.rows; r += left.block()) left.fill(input, r, std::min(r + left.block(), p.rows));
    constexpr index_t P = blocking<arch>::panel;
    std::vector<float> y(to_size(p.rows * p.n)), tile(to_size(Left::max_chunk * P));
    const result_tiles<arch, Left> tiles(left, p.rows, p.n);
    const auto store = [&](index_t t, const float* sums) {
        const index_t first = t / tiles.panels * tiles.chunk, j = t % tiles.panels * P;
        for (index_t r = 0; r < std::min(p.rows - first, tiles.chunk); ++r)
            for (index_t c = 0; c < std::min(P, p.n - j); ++c) y[to_size((first + r) * p.n + j + c)] = sums[r * P + c];
    };
    if constexpr (requires { left.passes(); })
        if (left.passes() > 1) { // as two threads would
            const index_t half = tiles.count() / 2;
            multiply_in_passes(left, tiles, w, 0, half, store);
            multiply_in_passes(left, tiles, w, half, tiles.count(), store);
            return y;
        }
    for (index_t t = 0; t < tiles.count(); ++t) {
        const index_t first = t / tiles.panels * tiles.chunk;
        left.multiply(first, std::min(p.rows - first, tiles.chunk), w, t % tiles.panels, tile.data());
        store(t, tile.data());
    }
    return y;
}

const std::vector<problem>& problems() {
    static const std::vector<problem> all{{1, 1, 1},    {1, 40, 31},    {5, 33, 64},     {16, 32, 33},   {17, 70, 53},
                                          {31, 16, 65}, {33, 65, 1029}, {97, 5, 130},    {290, 33, 96},  {303, 20, 7},
                                          {4, 64, 576}, {600, 16, 40},  {11, 100, 2048}, {293, 20, 4200}};
    return all;
}

/// Compares y with sums of the numbers that the format stores, within the error of float32.
template <class Format>
void expect_close(const problem& p, const std::vector<float>& y) {
    const auto kept = [](float v) { return static_cast<double>(bfloat16_to_float(float_to_bfloat16(v))); };
    for (index_t r = 0; r < p.rows; ++r)
        for (index_t j = 0; j < p.n; ++j) {
            double sum = 0, magnitude = 0;
            for (index_t i = 0; i < p.k; ++i) {
                const float x = p.x[to_size(r * p.k + i)];
                const double term =
                    (std::is_same_v<Format, bf16> ? static_cast<double>(x) : kept(x)) * kept(p.w[to_size(j * p.k + i)]);
                sum += term;
                magnitude += std::fabs(term);
            }
            // Products of bfloat16 are exact. Each term has K additions and is at most 2^-7 of the one before; two more
            // additions join the terms.
            const double bound =
                (static_cast<double>(p.k) * (1 + 0x1p-6) + 3) * std::numeric_limits<float>::epsilon() / 2 * magnitude +
                static_cast<double>(p.k) * 0x1p-125;
            ASSERT_LE(std::fabs(static_cast<double>(y[to_size(r * p.n + j)]) - sum), bound)
                << p.rows << " x " << p.n << " x " << p.k << ": row " << r << ", output " << j;
        }
}

TEST(Tiles, ProductsOfRoundedActivations) {
    const emulated_unit::session session;
    for (const problem& p : problems()) {
        expect_close<bf16a16>(p, product<bf16a16, one_term<emulated_unit>>(p));
        expect_close<bf16a16>(p, product<bf16a16, rounded_rows<arch>>(p));
#ifdef __AVX512BF16__
        expect_close<bf16a16>(p, product<bf16a16, paired_rows<arch>>(p));
#endif
    }
}
TEST(Tiles, ThreeTermsAreTheActivationsThemselves) {
    const emulated_unit::session session;
    for (const problem& p : problems()) expect_close<bf16>(p, product<bf16, three_terms<emulated_unit>>(p));
}
TEST(Tiles, ManyRowsOfManyInputsTakeSeveralPasses) {
    const auto passes = [](const auto& left) { return left.passes(); };
    std::byte memory[1];
    EXPECT_EQ(passes(one_term<emulated_unit>(memory, 81, 2048)), 1);
    EXPECT_EQ(passes(one_term<emulated_unit>(memory, 81, 8192)), 2);
    EXPECT_GT(passes(one_term<emulated_unit>(memory, 293, 4200)), 1); // as in the last of the problems
    EXPECT_EQ(passes(bytes<emulated_unit>(memory, 81, 8192)), 1);
    EXPECT_EQ(passes(three_terms<emulated_unit>(memory, 81, 8192)), 1);
}
TEST(Tiles, MoreRowsNeverNeedLessMemory) {
    const auto check = []<class Left>(std::type_identity<Left>) {
        for (const index_t k : {64, 2048, 3072, 8192, 8224})
            for (index_t rows = 1; rows < 700; ++rows) {
                ASSERT_LE(Left::bytes(rows, k), Left::bytes(rows + 1, k)) << rows << " rows of " << k;
                ASSERT_LE(Left::sum_bytes(rows, 2048, k), Left::sum_bytes(rows + 1, 2048, k))
                    << rows << " rows of " << k;
            }
    };
    check(std::type_identity<three_terms<emulated_unit>>{});
    check(std::type_identity<one_term<emulated_unit>>{});
    check(std::type_identity<bytes<emulated_unit>>{});
    check(std::type_identity<digits<emulated_unit>>{});
}
TEST(Tiles, ProductsOfBytesAreThoseOfVectors) {
    const emulated_unit::session session;
    for (const problem& p : problems()) {
        SCOPED_TRACE(testing::Message() << p.rows << " x " << p.n << " x " << p.k);
        EXPECT_EQ((product<w8a8, bytes<emulated_unit>>(p)), (product<w8a8, quantized_rows<arch, 1>>(p)));
        EXPECT_EQ((product<w8, digits<emulated_unit>>(p)), (product<w8, quantized_rows<arch, 4>>(p)));
    }
}

TEST(Tiles, WhatIsNoNumberStaysInItsRow) {
    problem p(20, 40, 70);
    const float inf = std::numeric_limits<float>::infinity(), nan = std::bit_cast<float>(0x7f800001u);
    for (float& w : p.w) w = 0.5f;
    p.x[3 * 70 + 66] = inf, p.x[4 * 70 + 1] = -inf, p.x[5 * 70] = nan, p.x[6 * 70] = std::numeric_limits<float>::max();
    const emulated_unit::session session;
    const auto expect = [&](const std::vector<float>& y) {
        for (index_t r = 0; r < p.rows; ++r)
            for (index_t j = 0; j < p.n; ++j) {
                const float v = y[to_size(r * p.n + j)];
                if (r == 3 || r == 4) {
                    EXPECT_EQ(v, r == 3 ? inf : -inf);
                } else if (r == 5) {
                    EXPECT_TRUE(std::isnan(v));
                } else if (r != 6) {
                    EXPECT_TRUE(std::isfinite(v));
                }
            }
    };
    expect(product<bf16, three_terms<emulated_unit>>(p));
    expect(product<bf16a16, one_term<emulated_unit>>(p));
    EXPECT_TRUE(std::isfinite((product<bf16, three_terms<emulated_unit>>(p)[6 * 40])));
}

TEST(Tiles, TheMachinesUnitComputesWhatTheEmulatedOneDoes) {
#if APRIORI_AMX
    if (!amx::available()) GTEST_SKIP() << "this machine, or its kernel, has no AMX";
    const amx::session session;
    const emulated_unit::session emulated;
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
        return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    for (const problem& p : problems()) {
        SCOPED_TRACE(testing::Message() << p.rows << " x " << p.n << " x " << p.k);
        EXPECT_TRUE(same(product<bf16, three_terms<amx>>(p), product<bf16, three_terms<emulated_unit>>(p)));
        EXPECT_TRUE(same(product<bf16a16, one_term<amx>>(p), product<bf16a16, one_term<emulated_unit>>(p)));
        EXPECT_TRUE(same(product<w8a8, bytes<amx>>(p), product<w8a8, bytes<emulated_unit>>(p)));
        EXPECT_TRUE(same(product<w8, digits<amx>>(p), product<w8, digits<emulated_unit>>(p)));
    }
#else
    GTEST_SKIP() << "compiled for an instruction set without AMX";
#endif
}

#else
TEST(Tiles, NeedPanelsOfSixteenOutputs) { GTEST_SKIP() << "compiled for vectors of fewer than 8 floats"; }
#endif

} // namespace
