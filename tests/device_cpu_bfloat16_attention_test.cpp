// SPDX-License-Identifier: Apache-2.0
// Attention with products of bfloat16: on vectors, on an emulated matrix unit and on the machine's own.
#include "apriori/device/cpu/device.hpp"
#include "apriori/expr/plan.hpp"
#include "tile_emulation.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

using namespace apriori;
using namespace apriori::cpu_device;

namespace {

struct problem {
    index_t count, tokens, heads, d;
    bool causal = false, masked = false;
    float scale = 0.25f;
    std::vector<float> qkv; ///< [count * tokens, 3 heads d]
    std::vector<std::uint8_t> mask;

    problem(index_t sequences, index_t t, index_t h, index_t dim, bool c, bool m)
        : count(sequences), tokens(t), heads(h), d(dim), causal(c), masked(m) {
        std::mt19937 engine(static_cast<unsigned>(t * 131 + d));
        std::uniform_real_distribution<float> number(-1.0f, 1.0f);
        qkv.resize(to_size(count * tokens * stride()));
        for (float& x : qkv) x = 2.0f * number(engine);
        mask.resize(to_size(count * tokens));
        for (auto& b : mask) b = engine() % 3 != 0;
    }
    index_t stride() const { return 3 * heads * d; }
    attention_rows rows() const {
        return {.count = count,
                .tokens = tokens,
                .mask = masked ? mask.data() : nullptr,
                .masked = masked ? tokens : 0,
                .causal = causal};
    }
    ops::attention<el::acc, bfloat16> op(float* out, std::byte* scratch = nullptr) const {
        const float* q = qkv.data();
        return {q,
                q + heads * d,
                q + 2 * heads * d,
                stride(),
                stride(),
                stride(),
                heads,
                d,
                rows(),
                scale,
                {},
                {out, {.inner = heads * d}},
                scratch};
    }
    std::size_t results() const { return to_size(count * tokens * heads * d); }
};

std::vector<problem> problems() {
    return {{1, 1, 1, 1, false, false},   {2, 7, 3, 5, true, false},     {1, 33, 2, 64, false, true},
            {3, 16, 1, 32, true, true},   {1, 81, 2, 64, true, true},    {1, 257, 1, 80, false, false},
            {1, 300, 2, 24, true, false}, {1, 513, 1, 128, false, true}, {2, 64, 2, 33, false, false}};
}

/// Compares each result with float64 arithmetic on the rounded operands, within the error of rounding the weights.
void expect_close(const problem& p, const std::vector<float>& out) {
    const auto kept = [](float x) { return static_cast<double>(static_cast<float>(bfloat16(x))); };
    const auto at_column = [&](index_t s, index_t r, index_t part, index_t h, index_t c) {
        return p.qkv[to_size((s * p.tokens + r) * p.stride() + (part * p.heads + h) * p.d + c)];
    };
    for (index_t s = 0; s < p.count; ++s)
        for (index_t h = 0; h < p.heads; ++h)
            for (index_t i = 0; i < p.tokens; ++i) {
                std::vector<double> weight(to_size(p.tokens));
                double top = -std::numeric_limits<double>::infinity(), total = 0, score_error = 0;
                for (index_t j = 0; j < p.tokens; ++j) {
                    double score = 0, magnitude = 0;
                    for (index_t c = 0; c < p.d; ++c) {
                        const double term = kept(at_column(s, i, 0, h, c) * p.scale) * kept(at_column(s, j, 1, h, c));
                        score += term;
                        magnitude += std::fabs(term);
                    }
                    weight[to_size(j)] = score + static_cast<double>(p.rows().bias(s, i, j));
                    top = std::max(top, weight[to_size(j)]);
                    // the roundings of the sum, and with a bias of -10000 that of the score
                    score_error = std::max(score_error, static_cast<double>(p.d + 1) * 0x1p-24 * magnitude);
                }
                if (p.causal || p.masked) score_error += 2 * 20000 * 0x1p-24;
                for (double& w : weight) total += w = std::exp(w - top);
                for (index_t c = 0; c < p.d; ++c) {
                    double sum = 0, magnitude = 0;
                    for (index_t j = 0; j < p.tokens; ++j) {
                        const double v = kept(at_column(s, j, 2, h, c));
                        sum += weight[to_size(j)] * v;
                        magnitude += weight[to_size(j)] * std::fabs(v);
                    }
                    // each weight is rounded by up to 2^-9 of itself, both in the product and in the sum that divides
                    // it; its exponent has the error of the score
                    const double relative =
                        2 * 0x1p-9 + 2 * score_error + (2 * static_cast<double>(p.tokens) + 16) * 0x1p-24;
                    const double bound = relative * (1 + 0x1p-6) * (magnitude + std::fabs(sum)) / total;
                    const float got = out[to_size((s * p.tokens + i) * p.heads * p.d + h * p.d + c)];
                    ASSERT_LE(std::fabs(static_cast<double>(got) - sum / total), bound)
                        << p.tokens << " tokens, " << p.d << " wide; head " << h << ", query " << i << ", column " << c;
                }
            }
}

template <class Arch>
std::vector<float> on_vectors(const problem& p) {
    std::vector<float> out(p.results());
    const index_t bytes = attention_blocks<Arch>{p.tokens, p.d}.floats() * 4;
    const host_buffer memory(to_size(bytes));
    for (index_t s = 0; s < p.count; ++s)
        for (index_t h = 0; h < p.heads; ++h) attend_head<Arch>(p.op(out.data()), s, h, memory.data());
    return out;
}

TEST(Bfloat16Attention, OnVectors) {
    for (const problem& p : problems()) {
        expect_close(p, on_vectors<default_arch>(p));
        expect_close(p, on_vectors<scalar_arch>(p));
    }
}

TEST(Bfloat16Attention, IsAProcessorOfExpressions) {
    constexpr index_t tokens = 40, heads = 2, d = 16;
    const problem p(1, tokens, heads, d, true, false);
    const view<const float, extents<tokens, 3 * heads * d>> x(p.qkv.data(), {});
    tensor<float, extents<tokens, heads * d>> out;
    cpu<> device;
    const auto e = self_attention<heads>(x, p.rows(), p.scale, bfloat16_attention{});
    const host_buffer space(plan<cpu<>>(e).workspace);
    ASSERT_TRUE(assign(device, space.span(), out.view(), e).ok());
    expect_close(p, std::vector<float>(out.flat().begin(), out.flat().end()));
}

#if defined(__AVX512BW__) || defined(__AVX2__)
template <class Unit>
std::vector<float> on_tiles(const problem& p) {
    std::vector<float> out(p.results());
    const host_buffer memory(to_size(tile_attention<default_arch, Unit>::bytes(p.tokens, p.d)));
    std::memset(memory.data(), 0xff, memory.size()); // NaN, which shows if memory is read before it is written
    const typename Unit::session session;
    for (index_t s = 0; s < p.count; ++s)
        for (index_t h = 0; h < p.heads; ++h)
            tile_attention<default_arch, Unit>(memory.data(), p.tokens, p.d).attend(p.op(out.data()), s, h);
    return out;
}

TEST(Bfloat16Attention, OnTiles) {
    for (const problem& p : problems()) expect_close(p, on_tiles<emulated_unit>(p));
}

TEST(Bfloat16Attention, TheMachinesUnitComputesWhatTheEmulatedOneDoes) {
#if APRIORI_AMX
    if (!amx::available()) GTEST_SKIP() << "this machine, or its kernel, has no AMX";
    for (const problem& p : problems()) {
        const auto a = on_tiles<amx>(p), b = on_tiles<emulated_unit>(p);
        EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0)
            << p.tokens << " tokens, " << p.d << " wide";
    }
#else
    GTEST_SKIP() << "compiled for an instruction set without AMX";
#endif
}
#endif

} // namespace
