// SPDX-License-Identifier: Apache-2.0
// The expression core compared with the libraries that a user might take instead, on one thread: Eigen's Tensor module,
// and xtensor if it is installed. Every line computes the same numbers, which are checked before it is timed. GB/s
// counts what has to be read and written once, next to the rate at which this machine reads.
#include "apriori/device/cpu/ceilings.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/eigen/bridge.hpp"
#include "apriori/expr.hpp"

#include <benchmark/benchmark.h>

#ifdef APRIORI_BENCH_XTENSOR
#include <xtensor/xadapt.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#endif

#include <array>
#include <cmath>
#include <functional>
#include <string>

using namespace apriori;

namespace {

using matrix = tensor<float, extents<dyn, dyn>>;
using eigen_matrix = Eigen::TensorMap<Eigen::Tensor<float, 2, Eigen::RowMajor, Eigen::Index>>;
using eigen_vector = Eigen::TensorMap<Eigen::Tensor<float, 1, Eigen::RowMajor, Eigen::Index>>;

template <index_t C>
eigen_matrix eigen_of(tensor<float, extents<dyn, C>>& t) {
    return {t.data(), t.ext()[0], C};
}
#ifdef APRIORI_BENCH_XTENSOR
template <index_t C>
auto xtensor_of(tensor<float, extents<dyn, C>>& t) {
    const std::array<std::size_t, 2> shape{static_cast<std::size_t>(t.ext()[0]), static_cast<std::size_t>(C)};
    return xt::adapt(t.data(), shape[0] * shape[1], xt::no_ownership(), shape);
}
/// Reductions along a row, evaluated immediately, as columns.
const auto by_row = xt::keep_dims | xt::evaluation_strategy::immediate;
#endif

constexpr float inverse_root_2 = 0.70710678118654752f;

/// Numbers from -1 to 1.
void fill(std::span<float> x) {
    std::uint32_t state = 1;
    for (float& e : x) e = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1.0f;
}

/// Operands of the element-wise and row-wise expressions: x, r and out [rows, Cols], b [Cols].
template <index_t Cols>
struct operands {
    using rows_type = tensor<float, extents<dyn, Cols>>;
    explicit operands(index_t rows)
        : x(extents<dyn, Cols>(rows)), r(extents<dyn, Cols>(rows)), out(extents<dyn, Cols>(rows)) {
        fill(x.flat());
        fill(r.flat());
        fill(b.flat());
    }
    index_t rows() const { return x.ext()[0]; }
    rows_type x, r, out;
    tensor<float, extents<Cols>> b;
};

/// Times body(), which computes `out`, after comparing the result with apriori's. It reads and writes `streams` arrays
/// of out's size.
void measure(benchmark::State& state, std::span<const float> expected, std::span<const float> out, double streams,
             const std::function<void()>& body) {
    body();
    for (std::size_t i = 0; i < out.size(); ++i)
        if (!(std::fabs(out[i] - expected[i]) <= 1e-4f * std::fmax(1.0f, std::fabs(expected[i]))))
            return state.SkipWithError("another result than apriori's");
    for (auto _ : state) {
        body();
        benchmark::ClobberMemory();
    }
    const double bytes = streams * 4 * static_cast<double>(out.size());
    state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// out = e on the CPU device, in a workspace that is made once.
template <class Out, class E>
std::function<void()> assigned(const Out& out, const E& e) {
    const auto memory = std::make_shared<host_buffer>(plan<cpu<>>(e).workspace);
    return [=] {
        cpu<> device;
        workspace work(memory->span());
        (void)context(device, work).assign(out, e);
    };
}

template <index_t Cols>
std::array<Eigen::Index, 2> shape_of(const operands<Cols>& o) {
    return {o.rows(), Cols};
}

/// gelu(y) as written with Eigen's Tensor module.
template <class Y>
auto eigen_gelu(const Y& y) {
    return y * 0.5f * ((y * inverse_root_2).erf() + 1.0f);
}

/// out = layer_norm(x) for x, out [rows, cols].
template <class Out>
void eigen_layer_norm(const eigen_matrix& x, Out& out) {
    const std::array<Eigen::Index, 1> along{1};
    const std::array<Eigen::Index, 2> column{x.dimension(0), 1}, times{1, x.dimension(1)};
    const Eigen::Tensor<float, 1, Eigen::RowMajor> mean = x.mean(along);
    const auto centred = x - mean.reshape(column).broadcast(times);
    const Eigen::Tensor<float, 1, Eigen::RowMajor> scale = (centred.square().mean(along) + 1e-5f).rsqrt();
    out = centred * scale.reshape(column).broadcast(times);
}

// ---- x + gelu(x + bias) --------------------------------------------------------------------------------------------

struct bias_gelu_residual {
    static constexpr const char* name = "bias_gelu_residual";
    static constexpr double streams = 3; // x, r, out
    template <index_t C>
    static std::function<void()> apriori_(operands<C>& o) {
        return assigned(o.out.view(), o.r + gelu(o.x + o.b));
    }
    template <index_t C>
    static std::function<void()> eigen(operands<C>& o) {
        return [&o] {
            const eigen_matrix x = eigen_of(o.x), r = eigen_of(o.r);
            const eigen_vector b(o.b.data(), C);
            eigen_matrix out = eigen_of(o.out);
            const std::array<Eigen::Index, 2> row{1, C}, times{o.rows(), 1};
            const auto y = x + b.reshape(row).broadcast(times);
            out = r + eigen_gelu(y);
        };
    }
#ifdef APRIORI_BENCH_XTENSOR
    template <index_t C>
    static std::function<void()> xtensor(operands<C>& o) {
        return [&o] {
            const std::array<std::size_t, 1> width{static_cast<std::size_t>(C)};
            const auto x = xtensor_of(o.x), r = xtensor_of(o.r);
            const auto b = xt::adapt(o.b.data(), width[0], xt::no_ownership(), width);
            auto out = xtensor_of(o.out);
            const auto y = x + b;
            xt::noalias(out) = r + y * 0.5f * (xt::erf(y * inverse_root_2) + 1.0f);
        };
    }
#endif
};

// ---- layer norm ----------------------------------------------------------------------------------------------------

struct layer_norm_ {
    static constexpr const char* name = "layer_norm";
    static constexpr double streams = 2;
    template <index_t C>
    static std::function<void()> apriori_(operands<C>& o) {
        return assigned(o.out.view(), layer_norm(o.x));
    }
    template <index_t C>
    static std::function<void()> eigen(operands<C>& o) {
        return [&o] {
            eigen_matrix out = eigen_of(o.out);
            eigen_layer_norm(eigen_of(o.x), out);
        };
    }
#ifdef APRIORI_BENCH_XTENSOR
    template <index_t C>
    static std::function<void()> xtensor(operands<C>& o) {
        return [&o] {
            const auto x = xtensor_of(o.x);
            auto out = xtensor_of(o.out);
            const xt::xtensor<float, 2> mean = xt::mean(x, {1}, by_row);
            const xt::xtensor<float, 2> centred = x - mean;
            const xt::xtensor<float, 2> scale = 1.0f / xt::sqrt(xt::mean(centred * centred, {1}, by_row) + 1e-5f);
            xt::noalias(out) = centred * scale;
        };
    }
#endif
};

// ---- softmax -------------------------------------------------------------------------------------------------------

struct softmax_ {
    static constexpr const char* name = "softmax";
    static constexpr double streams = 2;
    template <index_t C>
    static std::function<void()> apriori_(operands<C>& o) {
        return assigned(o.out.view(), softmax(o.x));
    }
    template <index_t C>
    static std::function<void()> eigen(operands<C>& o) {
        return [&o] {
            const eigen_matrix x = eigen_of(o.x);
            eigen_matrix out = eigen_of(o.out);
            const std::array<Eigen::Index, 1> along{1};
            const std::array<Eigen::Index, 2> column{o.rows(), 1}, times{1, C};
            const Eigen::Tensor<float, 1, Eigen::RowMajor> top = x.maximum(along);
            out = (x - top.reshape(column).broadcast(times)).exp();
            const Eigen::Tensor<float, 1, Eigen::RowMajor> inverse = out.sum(along).inverse();
            out = out * inverse.reshape(column).broadcast(times);
        };
    }
#ifdef APRIORI_BENCH_XTENSOR
    template <index_t C>
    static std::function<void()> xtensor(operands<C>& o) {
        return [&o] {
            const auto x = xtensor_of(o.x);
            auto out = xtensor_of(o.out);
            const xt::xtensor<float, 2> top = xt::amax(x, {1}, by_row);
            xt::noalias(out) = xt::exp(x - top);
            const xt::xtensor<float, 2> sum = xt::sum(out, {1}, by_row);
            out /= sum;
        };
    }
#endif
};

template <class Expression, index_t Cols>
void add(index_t rows, const char* where) {
    const auto name = [&](const char* library) { return std::string(Expression::name) + "/" + where + "/" + library; };
    const auto add_one = [&](const char* library, auto make) {
        benchmark::RegisterBenchmark(name(library).c_str(), [=](benchmark::State& state) {
            operands<Cols> o(rows);
            Expression::apriori_(o)();
            const std::vector<float> expected(o.out.flat().begin(), o.out.flat().end());
            fill(o.out.flat());
            measure(state, expected, o.out.flat(), Expression::streams, make(o));
        });
    };
    add_one("apriori", [](operands<Cols>& o) { return Expression::apriori_(o); });
    add_one("Eigen", [](operands<Cols>& o) { return Expression::eigen(o); });
#ifdef APRIORI_BENCH_XTENSOR
    add_one("xtensor", [](operands<Cols>& o) { return Expression::xtensor(o); });
#endif
}

// ---- products, which xtensor leaves to a BLAS ----------------------------------------------------------------------

/// out [N, N] = a b, with static extents.
template <index_t N>
void add_small_product() {
    const std::string size = std::to_string(N);
    benchmark::RegisterBenchmark(("small_product/" + size + "/apriori").c_str(), [](benchmark::State& state) {
        tensor<float, extents<N, N>> a, b, out;
        fill(a.flat());
        fill(b.flat());
        cpu<> device;
        host_buffer memory(plan<cpu<>>(matmul(a, b)).workspace);
        for (auto _ : state) {
            workspace work(memory.span());
            (void)context(device, work).assign(out.view(), matmul(a, b));
            benchmark::ClobberMemory();
        }
    });
    benchmark::RegisterBenchmark(("small_product/" + size + "/Eigen").c_str(), [](benchmark::State& state) {
        Eigen::TensorFixedSize<float, Eigen::Sizes<N, N>, Eigen::RowMajor> a, b, out;
        fill({a.data(), static_cast<std::size_t>(N * N)});
        fill({b.data(), static_cast<std::size_t>(N * N)});
        const std::array<Eigen::IndexPair<int>, 1> pairs{Eigen::IndexPair<int>(1, 0)};
        for (auto _ : state) {
            out = a.contract(b, pairs);
            benchmark::ClobberMemory();
        }
    });
}

/// out = x + W2 gelu(W1 layer_norm(x) + b1) + b2 for x [rows, D], W1 [4 D, D]. Both sides pack the weights in advance,
/// as a program would.
template <index_t D>
void add_feed_forward(index_t rows) {
    const std::string size = std::to_string(rows) + "x" + std::to_string(D);
    struct arrays {
        explicit arrays(index_t rows) : x(extents<dyn, D>(rows)), out(extents<dyn, D>(rows)) {
            for (auto s : {x.flat(), w1.flat(), w2.flat(), b1.flat(), b2.flat()}) fill(s);
            for (float& v : w1.flat()) v *= 0.02f;
            for (float& v : w2.flat()) v *= 0.02f;
        }
        tensor<float, extents<dyn, D>> x, out;
        tensor<float, extents<4 * D, D>> w1;
        tensor<float, extents<D, 4 * D>> w2;
        tensor<float, extents<4 * D>> b1;
        tensor<float, extents<D>> b2;
    };
    const auto packed = [](auto& w) {
        constexpr index_t n = std::remove_reference_t<decltype(w)>::extents_type::fixed(0);
        constexpr index_t k = std::remove_reference_t<decltype(w)>::extents_type::fixed(1);
        using P = cpu<>::packed<f32>;
        auto memory = std::make_shared<host_buffer>(P::stored_bytes(n, k));
        cpu<> device;
        (void)device.pack(P(memory->data(), n, k), 0, w.flat());
        return std::pair(memory, weight<P, n, k>{P(memory->data(), n, k)});
    };
    const auto ours = [=](arrays& a) {
        const auto [m1, w1] = packed(a.w1);
        const auto [m2, w2] = packed(a.w2);
        const auto body = assigned(a.out.view(), a.x + linear(gelu(linear(layer_norm(a.x), w1, a.b1)), w2, a.b2));
        return std::function<void()>([=, m1 = m1, m2 = m2] { body(); });
    };
    const double streams = static_cast<double>(8 * D) / static_cast<double>(rows) + 2; // weights, x, out
    benchmark::RegisterBenchmark(("feed_forward/" + size + "/apriori").c_str(), [=](benchmark::State& state) {
        arrays a(rows);
        const auto body = ours(a);
        body();
        const std::vector<float> expected(a.out.flat().begin(), a.out.flat().end());
        measure(state, expected, a.out.flat(), streams, body);
    });
    benchmark::RegisterBenchmark(("feed_forward/" + size + "/Eigen").c_str(), [=](benchmark::State& state) {
        arrays a(rows);
        ours(a)();
        const std::vector<float> expected(a.out.flat().begin(), a.out.flat().end());
        Eigen::Tensor<float, 2, Eigen::RowMajor> normed(rows, D), hidden(rows, 4 * D);
        measure(state, expected, a.out.flat(), streams, [&] {
            const eigen_matrix x(a.x.data(), rows, D), w1(a.w1.data(), 4 * D, D), w2(a.w2.data(), D, 4 * D);
            const eigen_vector b1(a.b1.data(), 4 * D), b2(a.b2.data(), D);
            eigen_matrix out(a.out.data(), rows, D);
            const std::array<Eigen::Index, 2> down{rows, 1};
            const std::array<Eigen::IndexPair<int>, 1> pairs{Eigen::IndexPair<int>(1, 1)};
            eigen_layer_norm(x, normed);
            hidden = normed.contract(w1, pairs);
            const auto y = hidden + b1.reshape(std::array<Eigen::Index, 2>{1, 4 * D}).broadcast(down);
            hidden = eigen_gelu(y).eval();
            out = x + hidden.contract(w2, pairs) + b2.reshape(std::array<Eigen::Index, 2>{1, D}).broadcast(down);
        });
    });
}

} // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    serial_executor executor;
    const ceilings c = measure_ceilings<default_arch>(executor);
    benchmark::AddCustomContext("reading past the caches", std::to_string(c.gbytes) + " GB/s");
    benchmark::AddCustomContext("multiply-adds", std::to_string(c.gflops) + " GFLOP/s");
    add<bias_gelu_residual, 512>(32, "32x512");
    add<bias_gelu_residual, 2048>(16384, "16384x2048");
    add<layer_norm_, 512>(32, "32x512");
    add<layer_norm_, 2048>(16384, "16384x2048");
    add<softmax_, 512>(32, "32x512");
    add<softmax_, 2048>(16384, "16384x2048");
    add_small_product<4>();
    add_small_product<8>();
    add_small_product<16>();
    add_small_product<32>();
    add_feed_forward<256>(4);
    add_feed_forward<256>(64);
    add_feed_forward<1024>(4);
    add_feed_forward<1024>(64);
    benchmark::RunSpecifiedBenchmarks();
}
