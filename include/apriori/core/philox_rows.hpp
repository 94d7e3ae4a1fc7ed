// SPDX-License-Identifier: Apache-2.0
// Random numbers for the rows of a batch, with one stream for each row: what a row draws depends only on its number,
// not on the batch that it is in or the process that computes it.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/philox.hpp"

#include <cstdint>
#include <span>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Rows `first` .. `first + count` of a seed: row i draws from stream i of philox_generator. A generator for
/// sample_prompts and the pipelines, for batches of that many rows.
class philox_rows {
public:
    philox_rows(std::uint64_t seed, std::uint64_t first, index_t count) {
        rows_.reserve(to_size(count));
        for (index_t i = 0; i < count; ++i) rows_.emplace_back(seed, first + std::uint64_t(i));
    }

    /// Fills `out` [count, width], for any width, with the next numbers of each row. Elements after the last whole
    /// column are left as they are.
    void randn(std::span<float> out) noexcept {
        const std::size_t width = rows_.empty() ? 0 : out.size() / rows_.size();
        for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i].randn(out.subspan(i * width, width));
    }

private:
    std::vector<philox_generator> rows_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
