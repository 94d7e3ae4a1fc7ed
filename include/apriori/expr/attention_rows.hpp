// SPDX-License-Identifier: Apache-2.0
// Which rows attend to which: rows in sequences, and groups of rows over what earlier passes cached.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"

#include <cstdint>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Which rows attend to which. There are `count` sequences of `tokens` rows each; a row sees its own sequence. Scores
/// get diffusers' additive biases: mask_bias where mask[s, j] is 0 (j < masked; keys from `masked` on are never
/// masked), and mask_bias where `causal` and j > i.
struct attention_rows {
    static constexpr float mask_bias = -10000.0f;

    index_t count = 1;
    index_t tokens = 1;
    const std::uint8_t* mask = nullptr; ///< [count, masked], 0 where masked, otherwise 1; null: no mask
    index_t masked = 0;
    bool causal = false;

    /// Bias of query i and key j of sequence s.
    APRIORI_HD constexpr float bias(index_t s, index_t i, index_t j) const noexcept {
        float b = causal && j > i ? mask_bias : 0.0f;
        if (mask != nullptr && j < masked && mask[s * masked + j] == 0) b += mask_bias;
        return b;
    }
};

/// Keys and values that an earlier pass has stored in every layer: the D keys of a row are followed by its D values.
struct cached_rows {
    const float* keys = nullptr; ///< of the first row in layer 0
    index_t count = 0;
    index_t layer_stride = 0, stride = 0; ///< distance between layers and between rows, in elements

    /// The keys of row r in a layer.
    APRIORI_HD const float* row(index_t layer, index_t r) const noexcept {
        return keys + layer * layer_stride + r * stride;
    }
};

/// One group of rows that belong together. Queries first_query .. first_query + queries are among the group's own rows,
/// which begin at first_row; their results are rows first_out .. of the output. Each query sees all of its past, and in
/// its own group the rows up to itself (causal) or only itself.
struct attention_group {
    index_t first_row = 0;
    index_t first_query = 0, queries = 0;
    index_t first_out = 0;
    cached_rows past[2]{};
};

/// Groups in the device's memory, and totals over them.
struct attention_groups {
    const attention_group* groups = nullptr;
    index_t count = 0;
    index_t max_keys = 0;    ///< most keys, past and own, of any query
    index_t out_rows = 0;    ///< queries of all groups
    std::int64_t scores = 0; ///< queries times keys over all groups: for plans
    bool causal = true;      ///< false: in its own group a query sees only itself
    /// [count], or null: by how many rows the second past of each group begins later. They can change between launches
    /// that are otherwise the same.
    const std::int32_t* shifts = nullptr;
    /// Queries of every group, if all have as many and their results are in order; 0 if they may differ.
    index_t each = 0;

    APRIORI_HD attention_group group(index_t i) const noexcept {
        attention_group g = groups[i];
        if (shifts != nullptr) g.past[1].keys += shifts[i] * g.past[1].stride;
        return g;
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
