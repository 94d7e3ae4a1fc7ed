// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"

#include <cstdint>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// What text encoders give for one prompt, on the host. Empty spans where the model takes none.
struct prior_prompt {
    std::span<const float> text_embeds;             ///< pooled: [proj tokens, embedding_proj_dim], one token as a rule
    std::span<const float> last_hidden_state{};     ///< [num_embeddings, embedding_dim]
    std::span<const std::uint8_t> attention_mask{}; ///< [num_embeddings], 1: a token; none: no mask
};

namespace detail {

/// For an array of a prompt, `what`, that does not hold what the model takes.
template <class T>
failure wrong_size(const char* what, std::span<const T> got, index_t want) {
    return {errc::shape_mismatch, what, " has ", got.size(), " elements, the model takes ", want};
}

} // namespace detail

} // namespace apriori
APRIORI_END_EXACT_MATH
