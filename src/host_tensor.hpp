// SPDX-License-Identifier: Apache-2.0
// Tensors on the host whose shape is only known at run time: the contents of files and the arguments of models.
#pragma once

#include "apriori/core/index.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace apriori::program {

/// float32 values, row-major. An absent tensor has no axes and no values.
struct host_tensor {
    std::vector<index_t> shape;
    std::vector<float> values;

    bool absent() const noexcept { return shape.empty(); }
    int rank() const noexcept { return static_cast<int>(shape.size()); }
    index_t rows() const noexcept { return shape.empty() ? 0 : shape.front(); }
    index_t width() const noexcept { return shape.empty() ? 0 : shape.back(); }
    /// The middle axis of three; 1 for one or two axes.
    index_t tokens() const noexcept { return shape.size() == 3 ? shape[1] : absent() ? 0 : 1; }
};

/// A shape as text: "[2, 77, 768]".
inline std::string shape_text(const std::vector<index_t>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return text + "]";
}

/// The indices of element `at`: "[1, 0, 5]".
inline std::string place_text(const std::vector<index_t>& shape, std::size_t at) {
    std::vector<index_t> place(shape.size());
    auto rest = static_cast<index_t>(at);
    for (std::size_t i = shape.size(); i-- > 0; rest /= shape[i]) place[i] = rest % shape[i];
    return shape_text(place);
}

} // namespace apriori::program
