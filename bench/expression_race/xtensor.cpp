// SPDX-License-Identifier: Apache-2.0
// The rows with xtensor on one thread, with xsimd. It leaves matrix products to a BLAS, so those rows are missing.
#include "race.hpp"

#include <xtensor/xadapt.hpp>
#include <xtensor/xindex_view.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xview.hpp>

#include <complex>

namespace race {

namespace {

template <std::size_t Rank>
auto map(array& a) {
    std::array<std::size_t, Rank> shape{};
    for (std::size_t i = 0; i < Rank; ++i) shape[i] = std::size_t(a.ext(i));
    return xt::adapt(a.data(), std::size_t(a.size()), xt::no_ownership(), shape);
}
/// Reductions along a row, evaluated immediately, as columns.
const auto by_row = xt::keep_dims | xt::evaluation_strategy::immediate;

void saxpy(problem& p) {
    const auto x = map<1>(p.in[0]), y = map<1>(p.in[1]), z = map<1>(p.in[2]);
    auto out = map<1>(p.out[0]);
    xt::noalias(out) = 0.5f * (2.0f * x + y) + z;
}
void nhwc(problem& p) {
    const auto x = map<2>(p.in[0]);
    const auto mean = map<1>(p.in[1]), deviation = map<1>(p.in[2]);
    auto out = map<2>(p.out[0]);
    xt::noalias(out) = (x - mean) / deviation;
}
void nchw(problem& p) {
    const auto x = map<3>(p.in[0]);
    const auto mean = map<2>(p.in[1]), deviation = map<2>(p.in[2]);
    auto out = map<3>(p.out[0]);
    xt::noalias(out) = (x - mean) / deviation;
}
void softmax(problem& p) {
    const auto x = map<2>(p.in[0]);
    auto out = map<2>(p.out[0]);
    const xt::xtensor<float, 2> top = xt::amax(x, {1}, by_row);
    xt::noalias(out) = xt::exp(x - top);
    const xt::xtensor<float, 2> sum = xt::sum(out, {1}, by_row);
    out /= sum;
}
void pairwise(problem& p) {
    const auto a = map<2>(p.in[0]), b = map<2>(p.in[1]);
    auto out = map<2>(p.out[0]);
    xt::noalias(out) = xt::sum(
        xt::square(xt::view(a, xt::all(), xt::newaxis(), xt::all()) - xt::view(b, xt::newaxis(), xt::all(), xt::all())),
        {2});
}
void convolution(problem& p) {
    const auto x = map<2>(p.in[0]);
    auto out = map<2>(p.out[0]);
    const index_t n = p.out[0].ext(0);
    const auto shifted = [&](int i, int j) {
        return filter[i][j] * xt::view(x, xt::range(i, i + n), xt::range(j, j + n));
    };
    xt::noalias(out) = shifted(0, 0) + shifted(0, 1) + shifted(0, 2) + shifted(1, 0) + shifted(1, 1) + shifted(1, 2) +
                       shifted(2, 0) + shifted(2, 1) + shifted(2, 2);
}
void outer_sum(problem& p) {
    const auto x = map<2>(p.in[0]);
    auto out = map<2>(p.out[0]);
    xt::noalias(out) = xt::sum(x, {0}, by_row);
}
void average(problem& p) {
    const auto x = map<1>(p.in[0]);
    auto out = map<1>(p.out[0]);
    const auto from = [&](index_t first) { return xt::view(x, xt::range(first, first + p.out[0].size())); };
    xt::noalias(out) =
        (from(0) + from(1) + from(2) + from(3) + from(4) + from(5) + from(6) + from(7)) * (1.0f / window);
}
void masked_mean(problem& p) {
    const auto x = map<2>(p.in[0]), m = map<2>(p.in[1]);
    auto out = map<2>(p.out[0]);
    xt::noalias(out) = xt::sum(xt::where(m > 0.0f, x, 0.0f), {1}, by_row) / xt::sum(m, {1}, by_row);
}
void log_sum_exp(problem& p) {
    const auto x = map<2>(p.in[0]);
    auto out = map<2>(p.out[0]);
    const xt::xtensor<float, 2> top = xt::amax(x, {1}, by_row);
    const xt::xtensor<float, 2> e = xt::exp(x - top);
    xt::noalias(out) = top + xt::log(xt::sum(e, {1}, by_row));
}
void evaluate_polynomial(problem& p) {
    const auto x = map<1>(p.in[0]);
    auto out = map<1>(p.out[0]);
    const auto& c = polynomial;
    xt::noalias(out) =
        c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * (c[4] + x * (c[5] + x * (c[6] + x * (c[7] + x * c[8])))))));
}
void complex_product(problem& p) {
    const auto view = [](array& a) {
        return xt::adapt(reinterpret_cast<std::complex<float>*>(a.data()), std::size_t(a.ext(0)), xt::no_ownership(),
                         std::array<std::size_t, 1>{std::size_t(a.ext(0))});
    };
    const auto a = view(p.in[0]), b = view(p.in[1]);
    auto out = view(p.out[0]);
    xt::noalias(out) = a * b;
}
void gather(problem& p) {
    const auto table = map<2>(p.in[0]);
    const auto scale = map<1>(p.in[1]);
    auto out = map<2>(p.out[0]);
    xt::noalias(out) = xt::view(table, xt::keep(p.indices), xt::all()) * scale;
}
void outer(problem& p) {
    const auto u = map<1>(p.in[0]), v = map<1>(p.in[1]);
    auto out = map<2>(p.out[0]);
    xt::noalias(out) = xt::view(u, xt::all(), xt::newaxis()) * v;
}
void dot(problem& p) {
    const auto of = [](array& a) {
        const std::array<std::size_t, 1> shape{std::size_t(dot_count(a))};
        return xt::adapt(dots(a), shape[0], xt::no_ownership(), shape);
    };
    const auto x = of(p.in[0]), y = of(p.in[1]);
    dots(p.out[0])[0] = xt::sum(x * y, xt::evaluation_strategy::immediate)();
}
void where(problem& p) {
    const auto x = map<1>(p.in[0]), a = map<1>(p.in[1]), b = map<1>(p.in[2]), c = map<1>(p.in[3]);
    auto out = map<1>(p.out[0]);
    xt::noalias(out) = xt::where(x > 0.5f, a, xt::where(x > 0.0f, b, xt::where(x > -0.5f, c, x)));
}

template <void (*Row)(problem&)>
call one_thread(problem& p, int threads) {
    return threads > 1 ? call{} : call([&p] { Row(p); });
}

} // namespace

std::string xtensor_version() {
    return std::to_string(XTENSOR_VERSION_MAJOR) + "." + std::to_string(XTENSOR_VERSION_MINOR) + "." +
           std::to_string(XTENSOR_VERSION_PATCH);
}

void add_xtensor(entries& to) {
    constexpr const char* library = "xtensor";
    to.insert(to.end(), {{"saxpy", library, one_thread<saxpy>},
                         {"nhwc", library, one_thread<nhwc>},
                         {"nchw", library, one_thread<nchw>},
                         {"softmax", library, one_thread<softmax>},
                         {"pairwise", library, one_thread<pairwise>},
                         {"convolution", library, one_thread<convolution>},
                         {"outer_sum", library, one_thread<outer_sum>},
                         {"average", library, one_thread<average>},
                         {"masked_mean", library, one_thread<masked_mean>},
                         {"log_sum_exp", library, one_thread<log_sum_exp>},
                         {"polynomial", library, one_thread<evaluate_polynomial>},
                         {"complex", library, one_thread<complex_product>},
                         {"gather", library, one_thread<gather>},
                         {"outer", library, one_thread<outer>},
                         {"dot", library, one_thread<dot>},
                         {"where", library, one_thread<where>}});
}

} // namespace race
