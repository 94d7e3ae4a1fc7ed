// SPDX-License-Identifier: Apache-2.0
// From texts to a prior's inputs: the first half of every text pipeline.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/models/prior_prompt.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The outputs of a text encoder for some texts, on the host.
struct encoded_texts {
    index_t rows = 0;
    std::vector<float> text_embeds{};           ///< [rows, width of the projection]
    std::vector<float> last_hidden_state{};     ///< [rows, tokens, hidden_size]
    std::vector<std::uint8_t> attention_mask{}; ///< [rows, tokens]
    std::vector<index_t> cut{};                 ///< [rows] how many tokens of each text did not fit

    /// The prompt of a text, which refers to these numbers.
    prior_prompt operator[](index_t row) const noexcept {
        const auto of_row = [&](const auto& all) {
            const index_t n = std::ssize(all) / rows;
            return part(all, row * n, n);
        };
        return {of_row(text_embeds), of_row(last_hidden_state), of_row(attention_mask)};
    }
};

/// How texts are encoded. diffusers' pipelines pass no mask to the text encoder, so it attends to the padding, too.
struct text_encoding_options {
    bool mask_text_encoder = false;       ///< pass the mask, as in the training of examples/digits
    std::int32_t pad_token_id = own_pads; ///< replaces the tokenizer's; Shap-E takes 0

    static constexpr std::int32_t own_pads = -1;
};

namespace detail {

/// Checks that an encoder has all tokens; invalid_argument names the first that it lacks.
result<void> check_ids(const auto& tokenizer, const auto& text_encoder, std::span<const std::int32_t> ids,
                       index_t rows) {
    const std::int32_t end = text_encoder.vocab_size();
    for (index_t i = 0; i < std::ssize(ids); ++i)
        if (const std::int32_t id = ids[to_size(i)]; id >= end)
            return failure(errc::invalid_argument, "text ", i / (std::ssize(ids) / rows) + 1, ": the token ",
                           tokenizer.name_of(id), " has the id ", id, "; the text encoder has ids from 0 to ", end - 1,
                           "; load the text encoder that was saved with this tokenizer, or leave the token out");
    return {};
}

} // namespace detail

/// Encodes one or more texts. invalid_argument for no text, or a token that the encoder lacks.
///   tokenizer     clip_tokenizer, or another type that returns clip_tokens for texts
///   text_encoder  CLIPTextModelWithProjection, or another type with its encode
template <class Tokenizer, class TextEncoder>
result<encoded_texts> encode_texts(const Tokenizer& tokenizer, const TextEncoder& text_encoder,
                                   std::span<const std::string_view> texts, const text_encoding_options& options = {}) {
    if (texts.empty()) return failure{errc::invalid_argument, "there is no text to encode; give one or more"};
    auto tokens = tokenizer(texts);
    if (!tokens) return tokens.error();
    if (options.pad_token_id != text_encoding_options::own_pads)
        for (std::size_t i = 0; i < tokens->input_ids.size(); ++i)
            if (tokens->attention_mask[i] == 0) tokens->input_ids[i] = options.pad_token_id;
    if constexpr (requires { tokenizer.name_of(text_encoder.vocab_size()); })
        if (auto r = detail::check_ids(tokenizer, text_encoder, tokens->input_ids, tokens->rows); !r) return r.error();
    const std::span<const std::uint8_t> mask(tokens->attention_mask);
    auto encoded =
        text_encoder.encode(tokens->input_ids, tokens->rows, options.mask_text_encoder ? mask : mask.first(0));
    if (!encoded) return encoded.error();
    return encoded_texts{tokens->rows, std::move(encoded->text_embeds), std::move(encoded->last_hidden_state),
                         std::move(tokens->attention_mask), std::move(tokens->cut)};
}

} // namespace apriori
APRIORI_END_EXACT_MATH
