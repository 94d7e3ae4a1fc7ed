// SPDX-License-Identifier: Apache-2.0
// Norms and reductions: the policies of expr/norms.hpp over rows, as Eigen's reductions of one axis.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/eigen/programs.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/plain_row.hpp"
#include "apriori/expr/scan.hpp"

#include <algorithm>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::eigen_device {

/// A row in memory, with the interface that policies use.
class row {
public:
    row(const float* p, index_t n) : x_(p, n) {}

    float sum(auto f) const {
        const scalar s = x_.unaryExpr(f).sum();
        return s();
    }
    float product(auto f) const {
        const scalar p = x_.unaryExpr(f).prod();
        return p();
    }
    float(max)(auto f) const {
        const scalar m = x_.unaryExpr(f).maximum();
        return m();
    }

private:
    using scalar = Eigen::Tensor<float, 0, Eigen::RowMajor, index_t>;
    using line = Eigen::Tensor<float, 1, Eigen::RowMajor, index_t>;

    Eigen::TensorMap<const line> x_;
};

/// policy.apply to every element of x, with the statistics that `reduce` returned for its row.
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
/// policy.reduce of every row, [rows, 1].
template <class Policy>
value reduced(const executor& on, const Policy& policy, const value& x) {
    matrix m(x.rows(), 1);
    for_each(on, x.rows(), Policy::flops * x.cols(),
             [&](index_t r) { m(r, 0) = policy.reduce(row(x.data() + r * x.cols(), x.cols()), x.cols()); });
    return value(std::move(m));
}

/// body(r, row of the policy's operand, row of the program that is applied afterwards) for each row.
template <class Op>
void for_plain_rows(const executor& on, const Op& op, const auto& body) {
    using number = typename decltype(op.input)::number;
    for_each(on, op.rows, 8 * op.cols, [&](index_t r) {
        const auto cursor = op.input.inner.row(r);
        body(r, plain_row<decltype(cursor), number>(cursor, op.cols), op.input.outer.row(r));
    });
}
template <class Policy, class In, class O, class Out>
void run(const executor& on, const ops::normalize<Policy, In, O, Out>& op) {
    if constexpr (computes_floats<In> && computes_floats<O>) {
        const value x = evaluate(op.input.inner, {on, op.rows, op.cols});
        finish(on, op.input.outer, normalized(on, op.input.policy, x), op.out);
    } else
        for_plain_rows(on, op, [&](index_t r, const auto& row, const auto& outer) {
            const auto stats = op.input.policy.reduce(row, op.cols);
            for (index_t c = 0; c < op.cols; ++c)
                put(op.out.row(r) + c, outer.at(c, Policy::apply(stats, row.element(c))));
        });
}
template <class Policy, class In, class O, class Out>
void run(const executor& on, const ops::reduce<Policy, In, O, Out>& op) {
    if constexpr (computes_floats<In> && computes_floats<O> &&
                  std::is_same_v<norms::result_t<Policy, el::value_of<In>>, float>) {
        const value x = evaluate(op.input.inner, {on, op.rows, op.cols});
        finish(on, op.input.outer, reduced(on, op.input.policy, x), op.out);
    } else
        for_plain_rows(on, op, [&](index_t r, const auto& row, const auto& outer) {
            put(op.out.row(r), outer.at(0, op.input.policy.reduce(row, op.cols)));
        });
}
template <class P, class Out>
void run(const executor& on, const ops::map<P, Out>& op) {
    if constexpr (computes_floats<P>)
        store(on, evaluate(op.program, {on, op.rows, op.cols}), op.out);
    else
        for_each(on, op.rows, (1 + flops_of<P>)*op.cols, [&](index_t r) {
            const auto row = op.program.row(r);
            for (index_t c = 0; c < op.cols; ++c) put(op.out.row(r) + c, row.at(c, 0.0f));
        });
}

template <class P, class In, class Out>
void run(const executor& on, const ops::scan<P, In, Out>& op) {
    for_each(on, op.rows, op.cols, [&](index_t r) { ops::scan_row(op, r); });
}
template <class T>
void run(const executor& on, const ops::scatter_add<T>& op) {
    for_each(on, op.cols, op.count, [&](index_t c) {
        for (index_t i = 0; i < op.count; ++i) op.add_row(i, c, c + 1);
    });
}

} // namespace apriori::eigen_device
APRIORI_END_EXACT_MATH
