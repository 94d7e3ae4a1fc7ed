// SPDX-License-Identifier: Apache-2.0
// The output of a text encoder for one prompt.
#pragma once

#include "apriori/models/prior_prompt.hpp"

#include <cstdint>
#include <vector>

namespace apriori::program {

struct condition {
    std::vector<float> text_embeds;           ///< pooled: [embedding_proj_dim]
    std::vector<float> last_hidden_state;     ///< [num_embeddings, embedding_dim]; empty where the model takes no text
    std::vector<std::uint8_t> attention_mask; ///< [num_embeddings], 1 where a token is attended to; empty: no mask

    prior_prompt prompt() const noexcept { return {text_embeds, last_hidden_state, attention_mask}; }
};

} // namespace apriori::program
