// SPDX-License-Identifier: Apache-2.0
// The values that the Eigen device computes with: row-major matrices of run-time extents, one type for all, so that
// Eigen's templates are instantiated once and not for each shape.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/eigen/bridge.hpp"
#include "apriori/expr/ops.hpp"

#include <algorithm>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::eigen_device {

using matrix = Eigen::Tensor<float, 2, Eigen::RowMajor, index_t>;
using const_matrix_map = Eigen::TensorMap<const matrix>;
using executor = Eigen::ThreadPoolDevice;

/// A matrix, owned or stored elsewhere, row after row.
class value {
public:
    explicit value(matrix m) : own_(std::move(m)), rows_(own_.dimension(0)), cols_(own_.dimension(1)) {}
    value(const float* p, index_t rows, index_t cols) : elsewhere_(p), rows_(rows), cols_(cols) {}

    index_t rows() const { return rows_; }
    index_t cols() const { return cols_; }
    const float* data() const { return elsewhere_ ? elsewhere_ : own_.data(); }
    const_matrix_map map() const { return {data(), rows_, cols_}; }

private:
    matrix own_;
    const float* elsewhere_ = nullptr;
    index_t rows_, cols_;
};

/// Calls body(i) for each of n items, of about `cost` floating-point operations each, on the executor's threads.
void for_each(const executor& on, index_t n, index_t cost, const auto& body) {
    const double c = double((std::max)(cost, index_t{1})); // Eigen does not accept 0
    on.parallelFor(n, Eigen::TensorOpCost(4 * c, 4 * c, c), [&](index_t first, index_t last) {
        for (index_t i = first; i < last; ++i) body(i);
    });
}

/// Writes a result to its destination.
template <class T, class Map>
void store(const executor& on, const value& v, const ops::output_to<T, Map>& out) {
    for_each(on, v.rows(), v.cols(), [&](index_t r) {
        std::transform(v.data() + r * v.cols(), v.data() + (r + 1) * v.cols(), out.row(r), element_cast<T, float>);
    });
}

} // namespace apriori::eigen_device
APRIORI_END_EXACT_MATH
