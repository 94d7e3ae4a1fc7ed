// SPDX-License-Identifier: Apache-2.0
// Rows of products with Eigen's Tensor module, which has no batched product: a loop contracts item by item. Small
// matrices are left to Eigen's matrices.
#include "in_eigen_tensor.hpp"

namespace race {

namespace {

using matrix = Eigen::Tensor<float, 2, Eigen::RowMajor, index>;
const std::array<pair, 1> transposed{pair(1, 1)}, straight{pair(1, 0)};

/// A bias [n] as rows.
auto rows_of_bias(problem& p, std::size_t i, index rows) {
    return in<1>(p, i).reshape(dims<2>{1, p.in[i].ext(0)}).broadcast(dims<2>{rows, 1});
}

struct mlp {
    static void run(problem& p, auto& device) {
        const auto x = in<2>(p, 0);
        const index n = x.dimension(0);
        matrix h(n, mlp_hidden), g(n, mlp_hidden);
        h.device(device) = (x.contract(in<2>(p, 1), transposed) + rows_of_bias(p, 2, n)).cwiseMax(0.0f);
        g.device(device) = (h.contract(in<2>(p, 3), transposed) + rows_of_bias(p, 4, n)).cwiseMax(0.0f);
        out<2>(p).device(device) = g.contract(in<2>(p, 5), transposed) + rows_of_bias(p, 6, n);
    }
};
struct attention {
    static void run(problem& p, auto& device) {
        const auto item = [](array& a, index s) { return map<2>(a.data() + s * tokens * head, tokens, head); };
        Eigen::Tensor<float, 1, Eigen::RowMajor, index> top(index{tokens}), inverse(index{tokens});
        matrix scores(index{tokens}, index{tokens});
        const dims<1> along{1};
        const dims<2> column{tokens, 1}, times{1, tokens};
        for (index s = 0; s < p.out[0].ext(0); ++s) {
            scores.device(device) = item(p.in[0], s).contract(item(p.in[1], s), transposed) * head_scale;
            top.device(device) = scores.maximum(along);
            scores.device(device) = (scores - top.reshape(column).broadcast(times)).exp().eval();
            inverse.device(device) = scores.sum(along).inverse();
            item(p.out[0], s).device(device) =
                scores.contract(item(p.in[2], s), straight) * inverse.reshape(column).broadcast(dims<2>{1, head});
        }
    }
};
struct lstm {
    static void run(problem& p, auto& device) {
        const auto x = in<2>(p, 0), h = in<2>(p, 1), c = in<2>(p, 2);
        const index n = x.dimension(0);
        matrix gates(n, 4 * cell), both(n, 2 * cell);
        both.device(device) = x.concatenate(h, 1);
        gates.device(device) = both.contract(in<2>(p, 3), transposed) + rows_of_bias(p, 4, n);
        const auto gate = [&](index i) { return gates.slice(dims<2>{0, i * cell}, dims<2>{n, cell}); };
        auto next = out<2>(p, 1);
        next.device(device) = gate(1).sigmoid() * c + gate(0).sigmoid() * gate(2).tanh();
        out<2>(p, 0).device(device) = gate(3).sigmoid() * next.tanh();
    }
};

} // namespace

void add_eigen_tensor_products(entries& to) {
    constexpr const char* library = "Eigen Tensor";
    to.insert(to.end(), {{"mlp", library, with_device<mlp>},
                         {"attention", library, with_device<attention>},
                         {"lstm", library, with_device<lstm>}});
}

} // namespace race
