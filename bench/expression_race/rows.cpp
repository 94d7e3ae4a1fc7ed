// SPDX-License-Identifier: Apache-2.0
// The rows of the race and their operands.
#include "race.hpp"

#include <algorithm>
#include <cstring>

namespace race {

namespace {

/// Scrambles the bits of i (the end of MurmurHash3): without the patterns of generators at strides of a power of two.
std::uint32_t mixed(std::uint32_t i) {
    i = (i ^ (i >> 16)) * 0x85ebca6bu;
    i = (i ^ (i >> 13)) * 0xc2b2ae35u;
    return i ^ (i >> 16);
}

/// Numbers from -1 to 1, the same on every machine.
void fill(array& x, std::uint32_t seed) {
    std::uint32_t i = seed * 0x9e3779b9u;
    for (float& e : x.flat()) e = float(mixed(i++) >> 8) * 0x1p-23f - 1.0f;
}

problem of(std::vector<std::vector<index_t>> in, std::vector<std::vector<index_t>> out) {
    problem p;
    for (auto& shape : in) {
        p.in.emplace_back(std::move(shape));
        fill(p.in.back(), std::uint32_t(p.in.size()));
    }
    for (auto& shape : out) p.out.emplace_back(std::move(shape));
    return p;
}

void scale(array& x, float factor, float shift = 0) {
    for (float& e : x.flat()) e = e * factor + shift;
}

problem make_nhwc(index_t n) {
    problem p = of({{n, 3}, {3}, {3}}, {{n, 3}});
    scale(p.in[2], 0.1f, 0.25f); // a standard deviation
    return p;
}
problem make_nchw(index_t n) {
    const index_t pixels = (std::min)(n, index_t{1} << 18);
    problem p = of({{n / pixels, 3, pixels}, {3, 1}, {3, 1}}, {{n / pixels, 3, pixels}});
    scale(p.in[2], 0.1f, 0.25f);
    return p;
}
problem make_softmax(index_t n) {
    problem p = of({{n, width}}, {{n, width}});
    scale(p.in[0], 4.0f);
    return p;
}
problem make_mlp(index_t n) {
    problem p = of({{n, mlp_in},
                    {mlp_hidden, mlp_in},
                    {mlp_hidden},
                    {mlp_hidden, mlp_hidden},
                    {mlp_hidden},
                    {mlp_out, mlp_hidden},
                    {mlp_out}},
                   {{n, mlp_out}});
    for (const std::size_t w : {1u, 3u, 5u}) scale(p.in[w], 0.25f);
    return p;
}
problem make_lstm(index_t n) {
    problem p = of({{n, cell}, {n, cell}, {n, cell}, {4 * cell, 2 * cell}, {4 * cell}}, {{n, cell}, {n, cell}});
    scale(p.in[3], 0.25f);
    return p;
}
problem make_masked(index_t n) {
    problem p = of({{n, width}, {n, width}}, {{n, 1}});
    for (float& e : p.in[1].flat()) e = e > -0.5f ? 1.0f : 0.0f; // three quarters are 1
    return p;
}
problem make_gather(index_t n) {
    problem p = of({{2 * n, row_of_table}, {row_of_table}}, {{n, row_of_table}});
    p.indices.resize(std::size_t(n));
    std::uint32_t i = 0;
    for (auto& r : p.indices) r = std::int32_t(index_t{mixed(i++)} % (2 * n));
    return p;
}
problem make_dot(index_t n) {
    problem p = of({{n * dot_floats}, {n * dot_floats}}, {{dot_floats}});
    if constexpr (dot_floats > 1)
        for (array& a : p.in)
            for (index_t i = 0; i < n; ++i) { // reads a later float, or the one that it replaces
                float e;
                std::memcpy(&e, a.data() + n * (dot_floats - 1) + i, sizeof(e));
                dots(a)[i] = dot_type(e);
            }
    return p;
}
double gather_bytes(const problem& p) { return 4.0 * double(2 * p.out[0].size() + p.out[0].ext(0)); }
double first_axis(const problem& p) { return double(p.in[0].ext(0)); }

std::vector<row> make_rows() {
    constexpr index_t K = 1024, M = K * K;
    // clang-format off
    return {
        {"saxpy", "saxpy chain", "0.5 * (2 * x + y) + z", {1536, 32 * K, 32 * M}, true, stream::triad,
         [](index_t n) { return of({{n}, {n}, {n}}, {{n}}); }, nullptr, nullptr},
        {"nhwc", "normalise images, NHWC", "(x - mean) / std; x [pixels, 3]", {K, 16 * K, 16 * M}, true, stream::scale,
         make_nhwc, nullptr, nullptr},
        {"nchw", "normalise images, NCHW", "(x - mean) / std; x [images, 3, pixels]", {K, 16 * K, 16 * M}, true, stream::scale,
         make_nchw, nullptr, nullptr},
        {"softmax", "softmax of rows", "softmax(x, 1); x [n, 256]", {12, 256, 256 * K}, true, stream::scale,
         make_softmax, nullptr, nullptr},
        {"pairwise", "pairwise distances", "((a[:, None] - b[None]) ** 2).sum(2); 8 features", {64, 320, 8 * K}, true, stream::write,
         [](index_t n) { return of({{n, features}, {n, features}}, {{n, n}}); }, nullptr, nullptr},
        {"mlp", "three-layer MLP", "relu(relu(x @ A.T + a) @ B.T + b) @ C.T + c; 32, 64, 64, 8", {8, K, 512 * K}, true, stream::none,
         make_mlp, nullptr, nullptr},
        {"attention", "attention of 64 tokens", "softmax(q @ k.T * s) @ v; heads of 32", {1, 16, 4 * K}, true, stream::none,
         [](index_t n) { return of({{n, tokens, head}, {n, tokens, head}, {n, tokens, head}}, {{n, tokens, head}}); }, nullptr, nullptr},
        {"lstm", "LSTM cell", "i, f, g, o = split([x, h] @ W.T + b); 32 inputs, 32 states", {8, 512, 256 * K}, true, stream::none,
         make_lstm, nullptr, nullptr},
        {"kalman", "Kalman prediction", "F @ P @ F.T + Q; P [n, 6, 6]", {64, 1536, M}, true, stream::none,
         [](index_t n) { return of({{n, state, state}, {state, state}, {state, state}}, {{n, state, state}}); }, nullptr, nullptr},
        {"products3", "batched 3 x 3 products", "a @ b; [n, 3, 3]", {192, 4 * K, 4 * M}, false, stream::triad,
         [](index_t n) { return of({{n, 3, 3}, {n, 3, 3}}, {{n, 3, 3}}); }, nullptr, nullptr},
        {"products4", "batched 4 x 4 products", "a @ b; [n, 4, 4]", {112, 2560, 2 * M}, false, stream::triad,
         [](index_t n) { return of({{n, 4, 4}, {n, 4, 4}}, {{n, 4, 4}}); }, nullptr, nullptr},
        {"convolution", "2-D convolution, 3 x 3", "sum(w[i, j] * x[i:i+n, j:j+n])", {48, 240, 8 * K}, true, stream::scale,
         [](index_t n) { return of({{n + 2, n + 2}}, {{n, n}}); }, nullptr, nullptr},
        {"outer_sum", "sum over the outer axis", "x.sum(0); x [n, 256]", {22, 480, 512 * K}, false, stream::read,
         [](index_t n) { return of({{n, width}}, {{1, width}}); }, nullptr, first_axis},
        {"average", "moving average of 8", "sum(x[i:i+n]) / 8", {3000, 64000, 64 * M}, true, stream::scale,
         [](index_t n) { return of({{n + window - 1}}, {{n}}); }, nullptr, nullptr},
        {"masked_mean", "masked mean of rows", "where(m > 0, x, 0).sum(1) / m.sum(1); [n, 256]", {11, 240, 256 * K}, true, stream::read,
         make_masked, nullptr, nullptr},
        {"log_sum_exp", "log-sum-exp of rows", "log(exp(x - x.max(1)).sum(1)) + x.max(1); [n, 256]", {22, 480, 512 * K}, true, stream::read,
         [](index_t n) { return of({{n, width}}, {{n, 1}}); }, nullptr, nullptr},
        {"polynomial", "polynomial of degree 8", "c[0] + x * (c[1] + x * (..))", {3000, 64000, 64 * M}, true, stream::scale,
         [](index_t n) { return of({{n}}, {{n}}); }, nullptr, nullptr},
        {"complex", "complex product, interleaved", "re = a[:, 0] * b[:, 0] - a[:, 1] * b[:, 1]; im", {K, 20 * K, 16 * M}, true, stream::triad,
         [](index_t n) { return of({{n, 2}, {n, 2}}, {{n, 2}}); }, nullptr, nullptr},
        {"gather", "gather of rows, scaled", "table[i] * s; rows of 64", {32, 512, 512 * K}, true, stream::scale,
         make_gather, gather_bytes, nullptr},
        {"outer", "outer product", "u[:, None] * v[None]", {64, 320, 10 * K}, false, stream::write,
         [](index_t n) { return of({{n}, {n}}, {{n, n}}); }, nullptr, nullptr},
        {"dot", "dot product", "(x * y).sum()", {3000, 64000, 64 * M}, true, stream::read,
         make_dot, nullptr, first_axis, true},
        {"where", "where-chain", "where(x > .5, a, where(x > 0, b, where(x > -.5, c, x)))", {1200, 24000, 24 * M}, true, stream::triad,
         [](index_t n) { return of({{n}, {n}, {n}, {n}}, {{n}}); }, nullptr, nullptr},
    };
    // clang-format on
}

} // namespace

const std::vector<row>& rows() {
    static const std::vector<row> all = make_rows();
    return all;
}

} // namespace race
