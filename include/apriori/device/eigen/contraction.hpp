// SPDX-License-Identifier: Apache-2.0
// Contractions: linear layers and products of activations, with one instantiation of Eigen's contraction.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/eigen/rows.hpp"

#include "apriori/core/weight_format.hpp"
#include "apriori/tensor/tensor.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::eigen_device {

/// A weight matrix [n, k], row-major and not packed.
struct packed_rows {
    float* data = nullptr;
    index_t n = 0, k = 0;

    constexpr packed_rows() = default;
    packed_rows(std::byte* p, index_t rows, index_t cols) : data(reinterpret_cast<float*>(p)), n(rows), k(cols) {}

    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return to_size(round_up(n * k * index_t{sizeof(float)}, index_t{buffer_alignment}));
    }
};

/// a [m, k] times the transpose of b [n, k].
inline value product(const executor& on, const_matrix_map a, const_matrix_map b) {
    using pair = Eigen::IndexPair<index_t>;
    matrix c(a.dimension(0), b.dimension(0));
    if (a.dimension(1) == 0)
        c.setZero();
    else
        c.device(on) = a.contract(b, Eigen::array<pair, 1>{pair(1, 1)});
    return value(std::move(c));
}

/// A matrix [rows, cols] with these strides in elements; copied unless its rows are contiguous and consecutive.
inline value gather(const executor& on, const float* p, index_t rows, index_t cols, index_t row_stride,
                    index_t col_stride) {
    if (col_stride == 1 && row_stride == cols) return {p, rows, cols};
    matrix m(rows, cols);
    for_each(on, rows, cols, [&](index_t r) {
        for (index_t c = 0; c < cols; ++c) m(r, c) = p[r * row_stride + c * col_stride];
    });
    return value(std::move(m));
}

template <class P>
value input(const executor& on, const ops::mapped<P>& in, index_t rows, index_t k) {
    return evaluate(in.program, {on, rows, k});
}
template <class Policy, class In, class O>
value input(const executor& on, const ops::normalized<Policy, In, O>& in, index_t rows, index_t k) {
    value x = normalized(on, in.policy, evaluate(in.inner, {on, rows, k}));
    value y = evaluate(in.outer, {on, rows, k, &x});
    return y.data() == x.data() ? std::move(x) : std::move(y);
}

template <class In, class E>
void run(const executor& on, const ops::contraction<In, packed_rows, E>& op) {
    const value x = input(on, op.input, op.rows, op.k);
    finish(on, op.epilogue, product(on, x.map(), {op.weights.data, op.n, op.k}), op.out);
}

template <class E, class Map>
void run(const executor& on, const ops::matmul<E, float, Map>& op) {
    matrix all(op.batch * op.m, op.n);
    for (index_t i = 0; i < op.batch; ++i) {
        const value a = gather(on, op.a.p + op.a.batch(i), op.m, op.k, op.a.row, op.a.col);
        const value b = gather(on, op.b.p + op.b.batch(i), op.n, op.k, op.b.col, op.b.row);
        const value c = product(on, a.map(), b.map());
        std::copy_n(c.data(), op.m * op.n, all.data() + i * op.m * op.n);
    }
    finish(on, op.epilogue, value(std::move(all)), op.out);
}
/// For doubles, with Eigen's matrices.
template <class E, class Map>
void run(const executor& on, const ops::matmul<E, double, Map>& op) {
    using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    using plain = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using map = Eigen::Map<const plain, 0, strides>;
    for_each(on, op.batch, 2 * op.m * op.n * op.k, [&](index_t i) {
        const plain c = map(op.a.p + op.a.batch(i), op.m, op.k, strides(op.a.row, op.a.col)) *
                        map(op.b.p + op.b.batch(i), op.k, op.n, strides(op.b.row, op.b.col));
        for (index_t r = 0; r < op.m; ++r) {
            const auto row = op.epilogue.row(i * op.m + r);
            for (index_t j = 0; j < op.n; ++j) put(op.out.row(i * op.m + r) + j, row.at(j, c(r, j)));
        }
    });
}

} // namespace apriori::eigen_device
APRIORI_END_EXACT_MATH
