// SPDX-License-Identifier: Apache-2.0
// The results of CLIP's encoders, on the host.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"

#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The encoding of texts.
struct clip_text_encoding {
    index_t rows = 0, tokens = 0;
    std::vector<float> last_hidden_state{}; ///< [rows, tokens, hidden_size]
    std::vector<float> text_embeds{};       ///< [rows, projection_dim or hidden_size]
};

/// The encoding of images.
struct clip_vision_encoding {
    index_t rows = 0, tokens = 0;
    std::vector<float> last_hidden_state{}; ///< [rows, tokens, hidden_size]; the class token is the first
    std::vector<float> image_embeds{};      ///< [rows, projection_dim or hidden_size]
};

} // namespace apriori
APRIORI_END_EXACT_MATH
