// SPDX-License-Identifier: Apache-2.0
// Element-wise programs as Eigen expressions, evaluated node by node: one Eigen expression for each function object,
// however many programs use it.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/eigen/matrix.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::eigen_device {

template <class T>
inline constexpr bool is_float_or_mask = std::is_same_v<T, float> || std::is_same_v<T, bool>;
/// Whether a program consists of floats and masks only, and so becomes Eigen expressions. Others
/// are computed element by element.
template <class P>
inline constexpr bool computes_floats = is_float_or_mask<el::value_of<P>>;
template <class F, class... P>
inline constexpr bool computes_floats<el::apply<F, P...>> = [] {
    using types = typename el::apply<F, P...>::types;
    return is_float_or_mask<typename types::computed> && is_float_or_mask<typename types::result> &&
           (computes_floats<P> && ...);
}();

/// The context of a program: the size of the result, and the values that the kernel around it has computed.
struct program_context {
    const executor& on;
    index_t rows, cols;
    const value* acc = nullptr;
};

/// Computes a program into a matrix element by element, as a kernel would: for leaves, and for
/// programs that compute in other types.
value evaluate(const auto& program, const program_context& c) {
    matrix m(c.rows, c.cols);
    for_each(c.on, c.rows, c.cols, [&](index_t r) {
        const auto row = program.row(r);
        for (index_t j = 0; j < c.cols; ++j)
            m(r, j) = lanes_cast<float>(row.at(j, c.acc ? c.acc->data()[r * c.cols + j] : 0.0f));
    });
    return value(std::move(m));
}
inline value evaluate(const el::acc&, const program_context& c) { return {c.acc->data(), c.rows, c.cols}; }
inline value evaluate(const el::scalar& s, const program_context& c) {
    matrix m(c.rows, c.cols);
    m.device(c.on) = m.constant(s.number);
    return value(std::move(m));
}
inline value evaluate(const el::vector& v, const program_context& c) {
    matrix m(c.rows, c.cols);
    m.device(c.on) = const_matrix_map(v.p, 1, c.cols).broadcast(Eigen::array<index_t, 2>{c.rows, 1});
    return value(std::move(m));
}
inline value evaluate(const el::matrix& x, const program_context& c) {
    if (x.map.uniform() && (x.map.inner == c.cols || c.rows == 1)) return {x.p, c.rows, c.cols};
    matrix m(c.rows, c.cols);
    for_each(c.on, c.rows, c.cols, [&](index_t r) { std::copy_n(x.p + x.map(r), c.cols, m.data() + r * c.cols); });
    return value(std::move(m));
}

value apply(const auto& f, const program_context& c, const value& x) {
    matrix m(c.rows, c.cols);
    m.device(c.on) = x.map().unaryExpr(f);
    return value(std::move(m));
}
value apply(const auto& f, const program_context& c, const value& x, const value& y) {
    matrix m(c.rows, c.cols);
    m.device(c.on) = x.map().binaryExpr(y.map(), f);
    return value(std::move(m));
}
/// For three operands or more, for which Eigen's Tensor module has no expression.
template <class F, class... Values>
requires(sizeof...(Values) > 2)
value apply(const F& f, const program_context& c, const Values&... x) {
    matrix m(c.rows, c.cols);
    for_each(c.on, c.rows * c.cols, F::flops, [&](index_t i) { m.data()[i] = f(x.data()[i]...); });
    return value(std::move(m));
}

template <class F, class... P>
requires computes_floats<el::apply<F, P...>>
value evaluate(const el::apply<F, P...>& a, const program_context& c) {
    return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
        return apply(a.f, c, evaluate(el::get<Is>(a.programs), c)...);
    }(std::index_sequence_for<P...>{});
}

/// Applies a program as the last step of a kernel that has computed `acc`.
void finish(const executor& on, const auto& epilogue, const value& acc, const auto& out) {
    store(on, evaluate(epilogue, {on, acc.rows(), acc.cols(), &acc}), out);
}

} // namespace apriori::eigen_device
APRIORI_END_EXACT_MATH
