// SPDX-License-Identifier: Apache-2.0
// noise_image_embeddings, which diffusers' StableUnCLIPPipeline runs between its prior and its decoder.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/layers/timestep_embedding.hpp"
#include "apriori/pipelines/sample_prompts.hpp"
#include "apriori/schedulers/scheduler.hpp"

#include <cmath>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// StableUnCLIPImageNormalizer: the mean and deviation of CLIP embeddings, [width] each.
struct image_normalizer {
    std::span<const float> mean{}, std{};
};

/// The embeddings [rows, width], normalised, noised to training step `noise_level` by the image_noising_scheduler, and
/// denormalised, each followed by the sinusoidal embedding of that level: [rows, 2 * width]. Draws noise for all rows.
/// shape_mismatch if the embeddings or the normalizer have another width; other errors are those of add_noise.
template <class Config, normal_generator Random>
result<std::vector<float>> noise_image_embeddings(std::span<const float> embeds, const image_normalizer& normalizer,
                                                  const basic_scheduler<Config>& scheduler, int noise_level,
                                                  Random& random) {
    const std::size_t width = normalizer.mean.size();
    if (width == 0 || normalizer.std.size() != width || embeds.size() % width != 0)
        return failure(errc::shape_mismatch, "image embeddings: ", embeds.size(),
                       " numbers are not rows of the normalizer's ", width, " means and ", normalizer.std.size(),
                       " deviations");
    std::vector<float> normal(embeds.begin(), embeds.end()), noise(embeds.size());
    for (std::size_t i = 0; i < normal.size(); ++i)
        normal[i] = (normal[i] - normalizer.mean[i % width]) / normalizer.std[i % width];
    random.randn(std::span<float>(noise));
    if (const status s = scheduler.add_noise(normal, noise, noise_level, normal); !s) return to_failure(s);

    const std::size_t half = width / 2;
    std::vector<float> out;
    out.reserve(2 * embeds.size());
    for (std::size_t at = 0; at < normal.size(); at += width) {
        for (std::size_t i = 0; i < width; ++i) out.push_back(normal[at + i] * normalizer.std[i] + normalizer.mean[i]);
        const auto angle = [&](std::size_t i) {
            return float(noise_level) * timestep_frequency(index_t(i), index_t(half));
        };
        for (std::size_t i = 0; i < half; ++i) out.push_back(std::cos(angle(i)));
        for (std::size_t i = 0; i < half; ++i) out.push_back(std::sin(angle(i)));
        out.resize(out.size() + width % 2, 0.0f);
    }
    return out;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
