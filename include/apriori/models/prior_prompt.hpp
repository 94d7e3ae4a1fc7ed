// SPDX-License-Identifier: Apache-2.0
// A prompt: the output of text encoders for one text.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"

#include <cstdint>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The output of text encoders for one prompt, on the host. Spans that the model does not take are empty.
struct prior_prompt {
    std::span<const float> text_embeds;             ///< pooled: [proj tokens, embedding_proj_dim], usually one token
    std::span<const float> last_hidden_state{};     ///< [num_embeddings, embedding_dim]
    std::span<const std::uint8_t> attention_mask{}; ///< [num_embeddings], nonzero: attended to; empty: no mask
};

namespace detail {

/// The error for `what`, an array of a prompt that does not have the size that the model takes.
template <class T>
failure wrong_size(const char* what, std::span<const T> got, index_t want) {
    return {errc::shape_mismatch, what, " has ", got.size(), " elements, the model takes ", want};
}

} // namespace detail

} // namespace apriori
APRIORI_END_EXACT_MATH
