// SPDX-License-Identifier: Apache-2.0
// Rows of reductions with Eigen's Tensor module. A reduction that is broadcast is stored in a tensor; otherwise it
// would be computed again for every element.
#include "in_eigen_tensor.hpp"

namespace race {

namespace {

using vector = Eigen::Tensor<float, 1, Eigen::RowMajor, index>;
using scalar = Eigen::TensorMap<Eigen::Tensor<dot_type, 0, Eigen::RowMajor, index>>;
constexpr dims<1> along{1};

struct softmax {
    static void run(problem& p, auto& device) {
        const auto x = in<2>(p, 0);
        auto y = out<2>(p);
        const index n = x.dimension(0);
        const dims<2> column{n, 1}, times{1, width};
        vector top(n), inverse(n);
        top.device(device) = x.maximum(along);
        y.device(device) = (x - top.reshape(column).broadcast(times)).exp();
        inverse.device(device) = y.sum(along).inverse();
        y.device(device) = y * inverse.reshape(column).broadcast(times);
    }
};
struct pairwise {
    static void run(problem& p, auto& device) {
        const auto a = in<2>(p, 0), b = in<2>(p, 1);
        const index n = a.dimension(0);
        vector of_a(n), of_b(n);
        of_a.device(device) = a.square().sum(along);
        of_b.device(device) = b.square().sum(along);
        const std::array<pair, 1> pairs{pair(1, 1)};
        out<2>(p).device(device) = of_a.reshape(dims<2>{n, 1}).broadcast(dims<2>{1, n}) +
                                   of_b.reshape(dims<2>{1, n}).broadcast(dims<2>{n, 1}) - a.contract(b, pairs) * 2.0f;
    }
};
struct outer_sum {
    static void run(problem& p, auto& device) {
        map<1>(p.out[0].data(), width).device(device) = in<2>(p, 0).sum(dims<1>{0});
    }
};
struct masked_mean {
    static void run(problem& p, auto& device) {
        const auto x = in<2>(p, 0), m = in<2>(p, 1);
        map<1>(p.out[0].data(), x.dimension(0)).device(device) =
            (m > 0.0f).select(x, x.constant(0.0f)).sum(along) / m.sum(along);
    }
};
struct log_sum_exp {
    static void run(problem& p, auto& device) {
        const auto x = in<2>(p, 0);
        const index n = x.dimension(0);
        vector top(n);
        top.device(device) = x.maximum(along);
        const auto centred = x - top.reshape(dims<2>{n, 1}).broadcast(dims<2>{1, width});
        map<1>(p.out[0].data(), n).device(device) = centred.exp().sum(along).log() + top;
    }
};
struct dot {
    static void run(problem& p, auto& device) {
        const auto of = [](array& a) {
            return Eigen::TensorMap<Eigen::Tensor<dot_type, 1, Eigen::RowMajor, index>>(dots(a), dot_count(a));
        };
        scalar(dots(p.out[0])).device(device) = (of(p.in[0]) * of(p.in[1])).sum();
    }
};

} // namespace

void add_eigen_tensor_rows(entries& to) {
    constexpr const char* library = "Eigen Tensor";
    to.insert(to.end(), {{"softmax", library, with_device<softmax>},
                         {"pairwise", library, with_device<pairwise>},
                         {"outer_sum", library, with_device<outer_sum>},
                         {"masked_mean", library, with_device<masked_mean>},
                         {"log_sum_exp", library, with_device<log_sum_exp>},
                         {"dot", library, with_device<dot>}});
}

} // namespace race
