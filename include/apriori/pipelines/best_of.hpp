// SPDX-License-Identifier: Apache-2.0
// Selects the samples of a text that are most like it, as DALLE2-pytorch does after its prior.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/pipelines/text_to_embedding.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The cosine of two vectors; 0 if one has length 0 or a number that is not finite.
inline double cosine(std::span<const float> a, std::span<const float> b) noexcept {
    double product = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < (std::min)(a.size(), b.size()); ++i) {
        const double x = a[i], y = b[i];
        product += x * y, aa += x * x, bb += y * y;
    }
    const double cosine = aa > 0 && bb > 0 ? product / std::sqrt(aa * bb) : 0.0;
    return is_finite(cosine) ? cosine : 0.0;
}

/// Of the samples of each text, those `keep` with the largest cosine with the text's embedding, best first; of equal
/// ones the first. The text encoder's projection must be as wide as the prior's embeddings, since both are in CLIP's
/// space: shape_mismatch otherwise. invalid_argument unless 1 <= keep <= samples.
inline result<image_embeddings> best_of(const image_embeddings& made, index_t keep = 1) {
    const index_t texts = std::ssize(made.cut);
    if (texts < 1 || made.rows % texts != 0 || std::ssize(made.text_embeds) != texts * made.width)
        return failure(errc::shape_mismatch, "best_of: ", made.text_embeds.size(),
                       " numbers are not text embeddings as wide as the image embeddings, ", made.width, ", of ", texts,
                       " texts");
    const index_t samples = made.rows / texts;
    if (keep < 1 || keep > samples)
        return failure(errc::invalid_argument, "best_of: keep is ", keep, "; allowed: 1 to ", samples,
                       ", the samples of a text");
    image_embeddings out{texts * keep, made.width, {}, made.text_embeds, made.cut};
    for (index_t t = 0; t < texts; ++t) {
        const auto text = part(made.text_embeds, t * made.width, made.width);
        std::vector<std::pair<double, index_t>> order; // descending by cosine
        for (index_t r = t * samples; r < (t + 1) * samples; ++r) order.emplace_back(-cosine(made.row(r), text), r);
        std::sort(order.begin(), order.end());
        for (index_t k = 0; k < keep; ++k) {
            const auto row = made.row(at(order, k).second);
            out.image_embeds.insert(out.image_embeds.end(), row.begin(), row.end());
        }
    }
    return out;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
