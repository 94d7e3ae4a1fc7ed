// SPDX-License-Identifier: Apache-2.0
// The plain loops: what a C++ programmer writes without a library, which the compiler may vectorise. Sum is the type of
// sums: float where the loops are timed, double where they are the reference.
#include "race.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace race {

namespace {

const float* in(const problem& p, std::size_t i) { return p.in[i].data(); }
float* out(problem& p, std::size_t i = 0) { return p.out[i].data(); }

template <class Sum>
void saxpy(problem& p) {
    const float* __restrict x = in(p, 0), * __restrict y = in(p, 1), * __restrict z = in(p, 2);
    float* __restrict o = out(p);
    const index_t n = p.out[0].size();
    for (index_t i = 0; i < n; ++i) o[i] = 0.5f * (2.0f * x[i] + y[i]) + z[i];
}
template <class Sum>
void nhwc(problem& p) {
    const float* __restrict x = in(p, 0), * __restrict mean = in(p, 1), * __restrict deviation = in(p, 2);
    float* __restrict o = out(p);
    const index_t n = p.out[0].ext(0);
    for (index_t i = 0; i < n; ++i)
        for (index_t c = 0; c < 3; ++c) o[3 * i + c] = (x[3 * i + c] - mean[c]) / deviation[c];
}
template <class Sum>
void nchw(problem& p) {
    const float* __restrict x = in(p, 0);
    float* __restrict o = out(p);
    const index_t planes = p.out[0].ext(0) * 3, n = p.out[0].ext(2);
    for (index_t r = 0; r < planes; ++r) {
        const float mean = in(p, 1)[r % 3], deviation = in(p, 2)[r % 3];
        for (index_t i = 0; i < n; ++i) o[r * n + i] = (x[r * n + i] - mean) / deviation;
    }
}
template <class Sum>
void softmax(problem& p) {
    for (index_t r = 0; r < p.out[0].ext(0); ++r) {
        const float* __restrict x = in(p, 0) + r * width;
        float* __restrict o = out(p) + r * width;
        float top = x[0];
        for (index_t c = 1; c < width; ++c) top = (std::max)(top, x[c]);
        Sum sum = 0;
        for (index_t c = 0; c < width; ++c) sum += Sum(o[c] = std::exp(x[c] - top));
        const float inverse = float(1 / sum);
        for (index_t c = 0; c < width; ++c) o[c] *= inverse;
    }
}
template <class Sum>
void pairwise(problem& p) {
    const index_t n = p.out[0].ext(0);
    for (index_t i = 0; i < n; ++i) {
        const float* __restrict a = in(p, 0) + i * features;
        const float* __restrict b = in(p, 1);
        float* __restrict o = out(p) + i * n;
        for (index_t j = 0; j < n; ++j) {
            Sum sum = 0;
            for (index_t f = 0; f < features; ++f) {
                const Sum d = Sum(a[f]) - Sum(b[j * features + f]);
                sum += d * d;
            }
            o[j] = float(sum);
        }
    }
}
/// y[Out] = W[Out, In] x + b.
template <class Sum, index_t In, index_t Out>
void dense(const float* x, const float* w, const float* b, float* y, bool relu) {
    for (index_t o = 0; o < Out; ++o) {
        Sum sum = Sum(b[o]);
        for (index_t i = 0; i < In; ++i) sum += Sum(w[o * In + i]) * Sum(x[i]);
        y[o] = relu ? (std::max)(float(sum), 0.0f) : float(sum);
    }
}
template <class Sum>
void mlp(problem& p) {
    for (index_t r = 0; r < p.out[0].ext(0); ++r) {
        float h[mlp_hidden], g[mlp_hidden];
        dense<Sum, mlp_in, mlp_hidden>(in(p, 0) + r * mlp_in, in(p, 1), in(p, 2), h, true);
        dense<Sum, mlp_hidden, mlp_hidden>(h, in(p, 3), in(p, 4), g, true);
        dense<Sum, mlp_hidden, mlp_out>(g, in(p, 5), in(p, 6), out(p) + r * mlp_out, false);
    }
}
template <class Sum>
void attention(problem& p) {
    for (index_t s = 0; s < p.out[0].ext(0); ++s)
        for (index_t i = 0; i < tokens; ++i) {
            const index_t base = s * tokens * head;
            const float* __restrict q = in(p, 0) + base + i * head;
            const float* __restrict k = in(p, 1) + base, * __restrict v = in(p, 2) + base;
            float* __restrict o = out(p) + base + i * head;
            float scores[tokens], top = -std::numeric_limits<float>::infinity();
            for (index_t j = 0; j < tokens; ++j) {
                Sum sum = 0;
                for (index_t d = 0; d < head; ++d) sum += Sum(q[d]) * Sum(k[j * head + d]);
                scores[j] = float(sum) * head_scale;
                top = (std::max)(top, scores[j]);
            }
            Sum total = 0, mixed[head] = {};
            for (index_t j = 0; j < tokens; ++j) {
                const float e = std::exp(scores[j] - top);
                total += Sum(e);
                for (index_t d = 0; d < head; ++d) mixed[d] += Sum(e) * Sum(v[j * head + d]);
            }
            for (index_t d = 0; d < head; ++d) o[d] = float(mixed[d] / total);
        }
}
float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }
template <class Sum>
void lstm(problem& p) {
    for (index_t r = 0; r < p.out[0].ext(0); ++r) {
        float both[2 * cell], gates[4 * cell];
        std::memcpy(both, in(p, 0) + r * cell, sizeof(float) * cell);
        std::memcpy(both + cell, in(p, 1) + r * cell, sizeof(float) * cell);
        dense<Sum, 2 * cell, 4 * cell>(both, in(p, 3), in(p, 4), gates, false);
        for (index_t c = 0; c < cell; ++c) {
            const float next =
                sigmoid(gates[cell + c]) * in(p, 2)[r * cell + c] + sigmoid(gates[c]) * std::tanh(gates[2 * cell + c]);
            out(p, 0)[r * cell + c] = sigmoid(gates[3 * cell + c]) * std::tanh(next);
            out(p, 1)[r * cell + c] = next;
        }
    }
}
/// o = a b, and a b^T, for N x N.
template <class Sum, index_t N, bool Transposed = false>
void product(const float* __restrict a, const float* __restrict b, float* __restrict o) {
    for (index_t i = 0; i < N; ++i)
        for (index_t j = 0; j < N; ++j) {
            Sum sum = 0;
            for (index_t k = 0; k < N; ++k) sum += Sum(a[i * N + k]) * Sum(Transposed ? b[j * N + k] : b[k * N + j]);
            o[i * N + j] = float(sum);
        }
}
template <class Sum>
void kalman(problem& p) {
    constexpr index_t size = state * state;
    for (index_t r = 0; r < p.out[0].ext(0); ++r) {
        float half[size];
        float* o = out(p) + r * size;
        product<Sum, state>(in(p, 1), in(p, 0) + r * size, half);
        product<Sum, state, true>(half, in(p, 1), o);
        for (index_t i = 0; i < size; ++i) o[i] += in(p, 2)[i];
    }
}
template <class Sum, index_t N>
void products(problem& p) {
    for (index_t r = 0; r < p.out[0].ext(0); ++r)
        product<Sum, N>(in(p, 0) + r * N * N, in(p, 1) + r * N * N, out(p) + r * N * N);
}
template <class Sum>
void convolution(problem& p) {
    const index_t n = p.out[0].ext(0), row = n + 2;
    for (index_t i = 0; i < n; ++i) {
        const float* __restrict x = in(p, 0) + i * row;
        float* __restrict o = out(p) + i * n;
        for (index_t j = 0; j < n; ++j) {
            float sum = 0;
            for (index_t a = 0; a < 3; ++a)
                for (index_t b = 0; b < 3; ++b) sum += filter[a][b] * x[a * row + j + b];
            o[j] = sum;
        }
    }
}
template <class Sum>
void outer_sum(problem& p) {
    const index_t n = p.in[0].ext(0);
    Sum sum[width] = {};
    for (index_t r = 0; r < n; ++r)
        for (index_t c = 0; c < width; ++c) sum[c] += Sum(in(p, 0)[r * width + c]);
    for (index_t c = 0; c < width; ++c) out(p)[c] = float(sum[c]);
}
template <class Sum>
void average(problem& p) {
    const float* __restrict x = in(p, 0);
    float* __restrict o = out(p);
    const index_t n = p.out[0].size();
    for (index_t i = 0; i < n; ++i) {
        float sum = x[i];
        for (index_t w = 1; w < window; ++w) sum += x[i + w];
        o[i] = sum * (1.0f / window);
    }
}
template <class Sum>
void masked_mean(problem& p) {
    for (index_t r = 0; r < p.out[0].ext(0); ++r) {
        const float* __restrict x = in(p, 0) + r * width, * __restrict m = in(p, 1) + r * width;
        Sum sum = 0, count = 0;
        for (index_t c = 0; c < width; ++c) {
            sum += Sum(m[c] > 0 ? x[c] : 0.0f);
            count += Sum(m[c]);
        }
        out(p)[r] = float(sum / count);
    }
}
template <class Sum>
void log_sum_exp(problem& p) {
    for (index_t r = 0; r < p.out[0].ext(0); ++r) {
        const float* __restrict x = in(p, 0) + r * width;
        float top = x[0];
        for (index_t c = 1; c < width; ++c) top = (std::max)(top, x[c]);
        Sum sum = 0;
        for (index_t c = 0; c < width; ++c) sum += Sum(std::exp(x[c] - top));
        out(p)[r] = top + float(std::log(sum));
    }
}
template <class Sum>
void evaluate_polynomial(problem& p) {
    const float* __restrict x = in(p, 0);
    float* __restrict o = out(p);
    const index_t n = p.out[0].size();
    for (index_t i = 0; i < n; ++i) {
        float y = polynomial[8];
        for (int c = 7; c >= 0; --c) y = y * x[i] + polynomial[c];
        o[i] = y;
    }
}
template <class Sum>
void complex_product(problem& p) {
    const float* __restrict a = in(p, 0), * __restrict b = in(p, 1);
    float* __restrict o = out(p);
    const index_t n = p.out[0].ext(0);
    for (index_t i = 0; i < n; ++i) {
        o[2 * i] = a[2 * i] * b[2 * i] - a[2 * i + 1] * b[2 * i + 1];
        o[2 * i + 1] = a[2 * i] * b[2 * i + 1] + a[2 * i + 1] * b[2 * i];
    }
}
template <class Sum>
void gather(problem& p) {
    const float* __restrict scale = in(p, 1);
    for (index_t r = 0; r < p.out[0].ext(0); ++r) {
        const float* __restrict x = in(p, 0) + index_t{p.indices[std::size_t(r)]} * row_of_table;
        float* __restrict o = out(p) + r * row_of_table;
        for (index_t c = 0; c < row_of_table; ++c) o[c] = x[c] * scale[c];
    }
}
template <class Sum>
void outer(problem& p) {
    const index_t n = p.out[0].ext(0);
    for (index_t i = 0; i < n; ++i) {
        const float u = in(p, 0)[i];
        const float* __restrict v = in(p, 1);
        float* __restrict o = out(p) + i * n;
        for (index_t j = 0; j < n; ++j) o[j] = u * v[j];
    }
}
template <class Sum>
void dot(problem& p) {
    Sum sum = 0;
    const dot_type* __restrict x = dots(p.in[0]), * __restrict y = dots(p.in[1]);
    const index_t n = dot_count(p.in[0]);
    for (index_t i = 0; i < n; ++i) sum += Sum(x[i]) * Sum(y[i]);
    dots(p.out[0])[0] = dot_type(sum);
}
template <class Sum>
void where(problem& p) {
    const float* __restrict x = in(p, 0), * __restrict a = in(p, 1), * __restrict b = in(p, 2), * __restrict c = in(p, 3);
    float* __restrict o = out(p);
    const index_t n = p.out[0].size();
    for (index_t i = 0; i < n; ++i) o[i] = x[i] > 0.5f ? a[i] : x[i] > 0.0f ? b[i] : x[i] > -0.5f ? c[i] : x[i];
}

struct loops {
    const char* row;
    void (*in_float)(problem&);
    void (*in_double)(problem&);
};
constexpr loops all[] = {
    {"saxpy", saxpy<float>, saxpy<double>},
    {"nhwc", nhwc<float>, nhwc<double>},
    {"nchw", nchw<float>, nchw<double>},
    {"softmax", softmax<float>, softmax<double>},
    {"pairwise", pairwise<float>, pairwise<double>},
    {"mlp", mlp<float>, mlp<double>},
    {"attention", attention<float>, attention<double>},
    {"lstm", lstm<float>, lstm<double>},
    {"kalman", kalman<float>, kalman<double>},
    {"products3", products<float, 3>, products<double, 3>},
    {"products4", products<float, 4>, products<double, 4>},
    {"convolution", convolution<float>, convolution<double>},
    {"outer_sum", outer_sum<float>, outer_sum<double>},
    {"average", average<float>, average<double>},
    {"masked_mean", masked_mean<float>, masked_mean<double>},
    {"log_sum_exp", log_sum_exp<float>, log_sum_exp<double>},
    {"polynomial", evaluate_polynomial<float>, evaluate_polynomial<double>},
    {"complex", complex_product<float>, complex_product<double>},
    {"gather", gather<float>, gather<double>},
    {"outer", outer<float>, outer<double>},
    {"dot", dot<dot_type>, dot<double>},
    {"where", where<float>, where<double>},
};

template <std::size_t... Is>
void add_all(entries& to, std::index_sequence<Is...>) {
    (to.push_back({all[Is].row, "plain loops",
                   [](problem& p, int threads) { return threads > 1 ? call{} : call([&p] { all[Is].in_float(p); }); }}),
     ...);
}

} // namespace

void add_plain(entries& to) { add_all(to, std::make_index_sequence<std::size(all)>{}); }

void reference(const row& r, problem& p) {
    for (const loops& l : all)
        if (std::string(l.row) == r.name) l.in_double(p);
}

} // namespace race
