// SPDX-License-Identifier: Apache-2.0
// The inputs of a prior's forward in a sampling, which models are calibrated with.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/models/prior_prompt.hpp"

#include <cstdint>
#include <span>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Inputs of forward passes, recorded while sampling: what models are calibrated with.
struct calibration_inputs {
    index_t rows = 0, text_tokens = 0, proj_tokens = 1;
    std::vector<float> latents{};               ///< [rows, embedding_dim]
    std::vector<float> timesteps{};             ///< [rows]
    std::vector<float> text_embeds{};           ///< [rows, proj_tokens, embedding_proj_dim]
    std::vector<float> last_hidden_state{};     ///< [rows, text_tokens, embedding_dim]
    std::vector<std::uint8_t> attention_mask{}; ///< [rows, text_tokens]; empty: no mask

    /// Appends the inputs of one forward.
    void add(const prior_prompt& prompt, std::span<const float> x, float timestep) {
        const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
        ++rows;
        append(latents, x);
        timesteps.push_back(timestep);
        append(text_embeds, prompt.text_embeds);
        append(last_hidden_state, prompt.last_hidden_state);
        append(attention_mask, prompt.attention_mask);
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
