// SPDX-License-Identifier: Apache-2.0
// Random numbers of the rows of a batch, each row from a stream of its own: what a row draws depends on its number alone, not on the
// batch that it is in or on who computes it.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/philox.hpp"

#include <cstdint>
#include <span>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Rows `first` .. `first + count` of a seed: row i is the stream i of philox_generator. A generator as sample_prompts and the pipelines
/// take one, for batches of that many rows.
class philox_rows {
public:
    philox_rows(std::uint64_t seed, std::uint64_t first, index_t count) {
        rows_.reserve(to_size(count));
        for (index_t i = 0; i < count; ++i) rows_.emplace_back(seed, first + std::uint64_t(i));
    }

    /// Fills `out` [count, width], any width, with the next numbers of each row. Rows that are not whole are left as they are.
    void randn(std::span<float> out) noexcept {
        const std::size_t width = rows_.empty() ? 0 : out.size() / rows_.size();
        for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i].randn(out.subspan(i * width, width));
    }

private:
    std::vector<philox_generator> rows_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
