// SPDX-License-Identifier: Apache-2.0
// Norms and reductions: policies of expr/norms.hpp over rows, as Eigen's reductions of one axis.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/eigen/programs.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::eigen_device {

/// A row in memory as policies see it.
class row {
public:
    row(const float* p, index_t n) : x_(p, n) {}

    float sum(auto f) const {
        const number s = x_.unaryExpr(f).sum();
        return s();
    }
    float(max)(auto f) const {
        const number m = x_.unaryExpr(f).maximum();
        return m();
    }

private:
    using number = Eigen::Tensor<float, 0, Eigen::RowMajor, index_t>;
    using line = Eigen::Tensor<float, 1, Eigen::RowMajor, index_t>;

    Eigen::TensorMap<const line> x_;
};

/// policy.apply to every element of x, each row with what `reduce` found in it.
template <class Policy>
value normalized(const executor& on, const Policy& policy, const value& x) {
    matrix m(x.rows(), x.cols());
    for_each(on, x.rows(), Policy::flops * x.cols(), [&](index_t r) {
        const float* p = x.data() + r * x.cols();
        const auto stats = policy.reduce(row(p, x.cols()), x.cols());
        for (index_t c = 0; c < x.cols(); ++c) m(r, c) = Policy::apply(stats, p[c]);
    });
    return value(std::move(m));
}
/// One number a row.
template <class Policy>
value reduced(const executor& on, const Policy& policy, const value& x) {
    matrix m(x.rows(), 1);
    for_each(on, x.rows(), Policy::flops * x.cols(),
             [&](index_t r) { m(r, 0) = policy.reduce(row(x.data() + r * x.cols(), x.cols()), x.cols()); });
    return value(std::move(m));
}

template <class Policy, class In, class O>
void run(const executor& on, const ops::normalize<Policy, In, O>& op) {
    const value x = evaluate(op.input.inner, {on, op.rows, op.cols});
    finish(on, op.input.outer, normalized(on, op.input.policy, x), op.out);
}
template <class Policy, class In, class O>
void run(const executor& on, const ops::reduce<Policy, In, O>& op) {
    const value x = evaluate(op.input.inner, {on, op.rows, op.cols});
    finish(on, op.input.outer, reduced(on, op.input.policy, x), op.out);
}
template <class P>
void run(const executor& on, const ops::map<P>& op) {
    store(on, evaluate(op.program, {on, op.rows, op.cols}), op.out);
}

} // namespace apriori::eigen_device
APRIORI_END_EXACT_MATH
