// SPDX-License-Identifier: Apache-2.0
// The rows with Eigen's matrices and arrays, on one thread.
#include "race.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
// gcc 12 warns about the undefined registers inside its own AVX-512 intrinsics (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <complex>

namespace race {

namespace {

using Eigen::Dynamic;
using Eigen::Index;

template <class T, Index Rows, Index Cols>
using matrix_of = Eigen::Matrix<T, Rows, Cols, Cols == 1 ? Eigen::ColMajor : Eigen::RowMajor>;
template <Index Rows = Dynamic, Index Cols = Dynamic>
using matrix = matrix_of<float, Rows, Cols>;

/// Arrays as matrices: all axes but the last are rows.
template <Index Rows = Dynamic, Index Cols = Dynamic>
Eigen::Map<matrix<Rows, Cols>> map(array& a) {
    const Index cols = a.shape().size() == 1 ? 1 : a.shape().back();
    return {a.data(), a.size() / cols, cols};
}
auto vector(array& a) { return Eigen::Map<Eigen::ArrayXf>(a.data(), a.size()); }

void saxpy(problem& p) { vector(p.out[0]) = 0.5f * (2.0f * vector(p.in[0]) + vector(p.in[1])) + vector(p.in[2]); }
void nhwc(problem& p) {
    map<Dynamic, 3>(p.out[0]).array() =
        (map<Dynamic, 3>(p.in[0]).array().rowwise() - vector(p.in[1]).transpose()).rowwise() /
        vector(p.in[2]).transpose();
}
void nchw(problem& p) {
    auto x = map(p.in[0]), y = map(p.out[0]);
    for (Index r = 0; r < x.rows(); ++r)
        y.row(r).array() = (x.row(r).array() - p.in[1].data()[r % 3]) / p.in[2].data()[r % 3];
}
void softmax(problem& p) {
    auto x = map<Dynamic, width>(p.in[0]), y = map<Dynamic, width>(p.out[0]);
    for (Index r = 0; r < x.rows(); ++r) {
        y.row(r).array() = (x.row(r).array() - x.row(r).maxCoeff()).exp();
        y.row(r) *= 1.0f / y.row(r).sum();
    }
}
void pairwise(problem& p) {
    auto a = map<Dynamic, features>(p.in[0]), b = map<Dynamic, features>(p.in[1]);
    auto y = map(p.out[0]);
    y.noalias() = -2.0f * a * b.transpose();
    y.colwise() += a.rowwise().squaredNorm();
    y.rowwise() += b.rowwise().squaredNorm().transpose();
}
void mlp(problem& p) {
    static matrix<Dynamic, mlp_hidden> h, g;
    const auto bias = [&](std::size_t i) { return vector(p.in[i]).matrix().transpose(); };
    h.noalias() = map<Dynamic, mlp_in>(p.in[0]) * map<mlp_hidden, mlp_in>(p.in[1]).transpose();
    h = (h.rowwise() + bias(2)).cwiseMax(0.0f);
    g.noalias() = h * map<mlp_hidden, mlp_hidden>(p.in[3]).transpose();
    g = (g.rowwise() + bias(4)).cwiseMax(0.0f);
    auto y = map<Dynamic, mlp_out>(p.out[0]);
    y.noalias() = g * map<mlp_out, mlp_hidden>(p.in[5]).transpose();
    y.rowwise() += bias(6);
}
void attention(problem& p) {
    static matrix<> scores(tokens, tokens);
    for (Index s = 0; s < p.out[0].ext(0); ++s) {
        const auto item = [&](array& a) { return Eigen::Map<matrix<tokens, head>>(a.data() + s * tokens * head); };
        scores.noalias() = item(p.in[0]) * item(p.in[1]).transpose();
        scores = ((scores.colwise() - scores.rowwise().maxCoeff()) * head_scale).array().exp();
        const matrix<tokens, 1> inverse = scores.rowwise().sum().cwiseInverse();
        item(p.out[0]).noalias() = scores * item(p.in[2]);
        item(p.out[0]).array().colwise() *= inverse.array();
    }
}
void lstm(problem& p) {
    static matrix<Dynamic, 4 * cell> gates;
    const auto w = map<4 * cell, 2 * cell>(p.in[3]);
    gates.noalias() = map<Dynamic, cell>(p.in[0]) * w.leftCols<cell>().transpose();
    gates.noalias() += map<Dynamic, cell>(p.in[1]) * w.rightCols<cell>().transpose();
    gates.rowwise() += vector(p.in[4]).matrix().transpose();
    const auto gate = [&](Index i) { return gates.middleCols<cell>(i * cell).array(); };
    auto next = map<Dynamic, cell>(p.out[1]);
    next = gate(1).logistic() * map<Dynamic, cell>(p.in[2]).array() + gate(0).logistic() * gate(2).tanh();
    map<Dynamic, cell>(p.out[0]) = gate(3).logistic() * next.array().tanh();
}
void kalman(problem& p) {
    using square = matrix<state, state>;
    const square f = map<state, state>(p.in[1]), q = map<state, state>(p.in[2]);
    for (Index i = 0; i < p.out[0].ext(0); ++i) {
        const Eigen::Map<square> covariance(p.in[0].data() + i * state * state);
        Eigen::Map<square>(p.out[0].data() + i * state * state) = f * covariance * f.transpose() + q;
    }
}
template <Index N>
void products(problem& p) {
    for (Index i = 0; i < p.out[0].ext(0); ++i) {
        const auto item = [&](array& a) { return Eigen::Map<matrix<N, N>>(a.data() + i * N * N); };
        item(p.out[0]).noalias() = item(p.in[0]) * item(p.in[1]);
    }
}
void convolution(problem& p) {
    const auto x = map(p.in[0]).array();
    const Index n = p.out[0].ext(0);
    const auto shifted = [&](int i, int j) { return filter[i][j] * x.block(i, j, n, n); };
    map(p.out[0]).array() = shifted(0, 0) + shifted(0, 1) + shifted(0, 2) + shifted(1, 0) + shifted(1, 1) +
                            shifted(1, 2) + shifted(2, 0) + shifted(2, 1) + shifted(2, 2);
}
void outer_sum(problem& p) { vector(p.out[0]) = map<Dynamic, width>(p.in[0]).colwise().sum().transpose(); }
void average(problem& p) {
    const auto x = vector(p.in[0]);
    const auto from = [&](Index first) { return x.segment(first, p.out[0].size()); };
    vector(p.out[0]) =
        (from(0) + from(1) + from(2) + from(3) + from(4) + from(5) + from(6) + from(7)) * (1.0f / window);
}
void masked_mean(problem& p) {
    const auto x = map<Dynamic, width>(p.in[0]).array(), m = map<Dynamic, width>(p.in[1]).array();
    vector(p.out[0]) = (m > 0.0f).select(x, 0.0f).rowwise().sum() / m.rowwise().sum();
}
void log_sum_exp(problem& p) {
    const auto x = map<Dynamic, width>(p.in[0]).array();
    for (Index r = 0; r < x.rows(); ++r) {
        const float top = x.row(r).maxCoeff();
        p.out[0].data()[r] = top + std::log((x.row(r) - top).exp().sum());
    }
}
void evaluate_polynomial(problem& p) {
    const auto x = vector(p.in[0]);
    const auto& c = polynomial;
    vector(p.out[0]) =
        c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * (c[4] + x * (c[5] + x * (c[6] + x * (c[7] + x * c[8])))))));
}
void complex_product(problem& p) {
    const auto view = [](array& a) {
        return Eigen::Map<Eigen::ArrayXcf>(reinterpret_cast<std::complex<float>*>(a.data()), a.ext(0));
    };
    view(p.out[0]) = view(p.in[0]) * view(p.in[1]);
}
void gather(problem& p) {
    const auto table = map<Dynamic, row_of_table>(p.in[0]).array();
    map<Dynamic, row_of_table>(p.out[0]).array() = table(p.indices, Eigen::all).rowwise() * vector(p.in[1]).transpose();
}
void outer(problem& p) { map(p.out[0]).noalias() = vector(p.in[0]).matrix() * vector(p.in[1]).matrix().transpose(); }
void dot(problem& p) {
    const auto of = [](array& a) { return Eigen::Map<Eigen::Matrix<dot_type, Dynamic, 1>>(dots(a), dot_count(a)); };
    dots(p.out[0])[0] = of(p.in[0]).dot(of(p.in[1]));
}
void where(problem& p) {
    const auto x = vector(p.in[0]), a = vector(p.in[1]), b = vector(p.in[2]), c = vector(p.in[3]);
    vector(p.out[0]) = (x > 0.5f).select(a, (x > 0.0f).select(b, (x > -0.5f).select(c, x)));
}

template <void (*Row)(problem&)>
call one_thread(problem& p, int threads) {
    return threads > 1 ? call{} : call([&p] { Row(p); });
}

} // namespace

std::string eigen_version() {
    return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
           std::to_string(EIGEN_MINOR_VERSION);
}

void add_eigen_matrix(entries& to) {
    constexpr const char* library = "Eigen Matrix";
    to.insert(to.end(), {{"saxpy", library, one_thread<saxpy>},
                         {"nhwc", library, one_thread<nhwc>},
                         {"nchw", library, one_thread<nchw>},
                         {"softmax", library, one_thread<softmax>},
                         {"pairwise", library, one_thread<pairwise>},
                         {"mlp", library, one_thread<mlp>},
                         {"attention", library, one_thread<attention>},
                         {"lstm", library, one_thread<lstm>},
                         {"kalman", library, one_thread<kalman>},
                         {"products3", library, one_thread<products<3>>},
                         {"products4", library, one_thread<products<4>>},
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
