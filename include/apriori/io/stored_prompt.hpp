// SPDX-License-Identifier: Apache-2.0
// The outputs of text encoders for prompts, stored in a safetensors file under the prompt's text.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/models/prior_prompt.hpp"

#include <string>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// A prompt that owns its numbers. Tokens and mask are empty if the file has none.
struct stored_prompt {
    std::vector<float> text_embeds, last_hidden_state;
    std::vector<std::uint8_t> attention_mask;

    operator prior_prompt() const noexcept { return {text_embeds, last_hidden_state, attention_mask}; }
};

/// A whole tensor by name, as float32. `Source` has find(name), as weights_source and
/// safetensors_view. not_found if there is none.
template <class Source>
result<std::vector<float>> read_tensor(const Source& source, const std::string& name) {
    const auto i = source.find(name);
    if (!i) return failure{errc::not_found, cat("there is no tensor ", quote(name, 200))};
    std::vector<float> values(static_cast<std::size_t>(source.info(*i).size()));
    if (const status s = source.read(*i, 0, values); !s.ok()) return to_failure(s);
    return values;
}

/// Reads the tensors `<text>.text_embeds`, and if they exist `<text>.last_hidden_state` and `<text>.attention_mask`.
/// Their shapes are checked by the models that take them.
template <class Source>
result<stored_prompt> read_prompt(const Source& source, const std::string& text) {
    stored_prompt prompt;
    auto pooled = read_tensor(source, text + ".text_embeds");
    if (!pooled) return pooled.error();
    prompt.text_embeds = std::move(*pooled);
    if (source.find(text + ".last_hidden_state")) {
        auto tokens = read_tensor(source, text + ".last_hidden_state");
        if (!tokens) return tokens.error();
        prompt.last_hidden_state = std::move(*tokens);
    }
    if (source.find(text + ".attention_mask")) {
        const auto mask = read_tensor(source, text + ".attention_mask");
        if (!mask) return mask.error();
        for (const float m : *mask) prompt.attention_mask.push_back(m != 0.0f ? 1 : 0);
    }
    return prompt;
}

} // namespace apriori::io
APRIORI_END_EXACT_MATH
