// SPDX-License-Identifier: Apache-2.0
// diffusers' KandinskyPriorPipeline, KandinskyV22PriorPipeline and KandinskyV22PriorEmb2EmbPipeline: image embeddings
// and the negative ones that Kandinsky's decoders also take.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/pipelines/text_to_embedding.hpp"

#include <optional>
#include <variant>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The inputs of a decoder.
struct kandinsky_embeddings {
    index_t rows = 0, negative_rows = 0, width = 0;
    std::vector<float> image_embeds{};          ///< [rows, width]
    std::vector<float> negative_image_embeds{}; ///< [negative_rows, width]
    std::vector<index_t> cut{};                 ///< [texts] how many tokens of each text did not fit
};

/// Images as pipelines take them: normalised pixels [images, channels, edge, edge], or embeddings [images, width].
struct image_pixels {
    std::span<const float> values{};
};
struct image_embeds {
    std::span<const float> values{};
};

/// A text or one image to interpolate, and its weight.
struct weighted_condition {
    std::variant<std::string_view, image_pixels, image_embeds> what{};
    float weight = 1.0f;
};

/// The arguments of interpolate besides the options of its texts, whose negative_prompt must be empty.
struct interpolation_options {
    std::string_view negative_prompt{}; ///< its embedding is the negative one; empty: that of the zero image
    std::optional<std::string_view> negative_prior_prompt{}; ///< sampling is guided away from it
    bool sum_samples = false; ///< Kandinsky 2.1's pipeline adds up all samples of a text, 2.2's keeps them separate
};

namespace detail {

/// As text_widths_fit, for image encoders.
template <class ImageEncoder, class Prior>
consteval bool image_width_fits() {
    if constexpr (!std::is_member_object_pointer_v<decltype(&Prior::config)>)
        return ImageEncoder::embedding == Prior::config.embedding_dim;
    else
        return true;
}

} // namespace detail

/// The parts together. The models share their weights; the tokenizer must outlive the pipeline.
template <class Tokenizer, class TextEncoder, class ImageEncoder, class Prior>
class kandinsky_prior {
public:
    static_assert(detail::image_width_fits<ImageEncoder, Prior>(),
                  "apriori: this image encoder's projection_dim is not the prior's embedding_dim");

    kandinsky_prior(const Tokenizer& tokenizer, TextEncoder text_encoder, ImageEncoder image_encoder, Prior prior,
                    any_scheduler_config scheduler)
        : pipeline_(tokenizer, std::move(text_encoder), std::move(prior), std::move(scheduler)),
          image_encoder_(std::move(image_encoder)) {}

    /// Embeddings of texts. With negative_prompt, a text for each, its embeddings are sampled as further rows of the
    /// batch, guided away from themselves; otherwise the negative embedding is that of the zero image.
    template <normal_generator Random>
    result<kandinsky_embeddings> operator()(std::span<const std::string_view> texts, Random& random,
                                            const embedding_options& options = {}) const {
        return run(texts, random, options, {});
    }

    /// The same from images, noised to the level at which the last `strength` of the steps begins: pixels or
    /// embeddings, one for all texts or one for each.
    template <normal_generator Random>
    result<kandinsky_embeddings> emb2emb(std::span<const std::string_view> texts,
                                         const std::variant<image_pixels, image_embeds>& images, double strength,
                                         Random& random, const embedding_options& options = {}) const {
        const auto encoded = std::visit([this](const auto& given) { return this->encode(given); }, images);
        if (!encoded) return encoded.error();
        if (encoded->empty() || std::ssize(*encoded) % width() != 0)
            return failure(errc::shape_mismatch, "image embeddings: ", encoded->size(),
                           " numbers are not one or more rows of ", width());
        std::vector<float> repeated; // every image for each of its samples
        for (auto image = encoded->begin(); image != encoded->end(); image += width())
            for (index_t s = 0; s < options.num_images_per_prompt; ++s)
                repeated.insert(repeated.end(), image, image + width());
        return run(texts, random, options, {repeated, strength});
    }

    /// The weighted sum of the embeddings of texts, which are sampled one after the other, and of
    /// images; and a negative embedding.
    template <normal_generator Random>
    result<kandinsky_embeddings> interpolate(std::span<const weighted_condition> conditions, Random& random,
                                             const embedding_options& options = {},
                                             const interpolation_options& more = {}) const {
        if (conditions.empty())
            return failure{errc::invalid_argument, "there is nothing to interpolate; give one condition or more"};
        if (auto r = detail::check_images_per_prompt(options.num_images_per_prompt); !r) return r.error();
        if (!options.negative_prompt.empty())
            return failure{errc::invalid_argument,
                           "interpolate takes negative_prompt and negative_prior_prompt from its "
                           "interpolation_options"};
        embedding_options each = options;
        if (more.negative_prior_prompt) each.negative_prompt = {&*more.negative_prior_prompt, 1};
        const index_t samples = options.num_images_per_prompt, rows = more.sum_samples ? 1 : samples;
        kandinsky_embeddings out{rows, samples, width()};
        out.image_embeds.assign(to_size(rows * width()), 0.0f);
        for (const weighted_condition& c : conditions) {
            const auto embeds = embedding_of(c.what, random, each, out.cut);
            if (!embeds) return embeds.error();
            const std::size_t one = out.image_embeds.size(), count = (std::max)(one, embeds->size());
            // a condition with one row is added to every row; with sum_samples all rows are added to one
            for (std::size_t i = 0; i < count; ++i)
                out.image_embeds[i % one] += (*embeds)[i % embeds->size()] * c.weight;
        }
        auto negative = negative_of(random, each, more);
        if (!negative) return negative.error();
        out.negative_image_embeds = std::move(*negative);
        return out;
    }

    /// The width of an embedding.
    index_t width() const noexcept { return pipeline_.width(); }

    /// The embedding of normalised pixels that are all 0, [rows, width].
    result<std::vector<float>> zero_embeds(index_t rows) const {
        const auto one = image_encoder_.zero_image_embedding();
        if (!one) return one.error();
        std::vector<float> out;
        for (index_t r = 0; r < rows; ++r) out.insert(out.end(), one->begin(), one->end());
        return out;
    }

private:
    result<kandinsky_embeddings> run(std::span<const std::string_view> texts, auto& random, embedding_options options,
                                     const embedding_start& start) const {
        const std::span<const std::string_view> negative = options.negative_prompt;
        std::vector<std::string_view> all(texts.begin(), texts.end()), away(negative.begin(), negative.end());
        if (!negative.empty() && negative.size() == texts.size()) { // the pipeline refuses any other number
            all.insert(all.end(), negative.begin(), negative.end());
            away.insert(away.end(), negative.begin(), negative.end());
        }
        options.negative_prompt = away;
        auto made = pipeline_(all, random, options, start);
        if (!made) return made.error();
        made->cut.resize(texts.size());
        if (negative.empty()) {
            auto zero = zero_embeds(made->rows);
            if (!zero) return zero.error();
            return kandinsky_embeddings{made->rows,       made->rows,          width(), std::move(made->image_embeds),
                                        std::move(*zero), std::move(made->cut)};
        }
        const auto half = made->image_embeds.begin() + std::ssize(made->image_embeds) / 2;
        return kandinsky_embeddings{made->rows / 2,
                                    made->rows / 2,
                                    width(),
                                    std::vector<float>(made->image_embeds.begin(), half),
                                    std::vector<float>(half, made->image_embeds.end()),
                                    std::move(made->cut)};
    }

    /// Image embeddings of images.
    result<std::vector<float>> encode(const image_pixels& pixels) const {
        const auto& c = image_encoder_.config;
        const index_t image = index_t{c.num_channels} * c.image_size * c.image_size;
        auto encoded = image_encoder_.encode(pixels.values, std::ssize(pixels.values) / image);
        if (!encoded) return encoded.error();
        return std::move(encoded->image_embeds);
    }
    static result<std::vector<float>> encode(const image_embeds& given) {
        return std::vector<float>(given.values.begin(), given.values.end());
    }

    /// [num_images_per_prompt, width()] for a text, [1, width()] for an image.
    result<std::vector<float>> embedding_of(const std::variant<std::string_view, image_pixels, image_embeds>& what,
                                            auto& random, const embedding_options& options,
                                            std::vector<index_t>& cut) const {
        if (const auto* text = std::get_if<std::string_view>(&what)) {
            auto made = run({text, 1}, random, options, {});
            if (!made) return made.error();
            cut.push_back(made->cut.front());
            return std::move(made->image_embeds);
        }
        const auto* pixels = std::get_if<image_pixels>(&what);
        auto embeds = pixels != nullptr ? encode(*pixels) : encode(std::get<image_embeds>(what));
        if (embeds && std::ssize(*embeds) != width())
            return failure(errc::shape_mismatch, "image embedding: has ", embeds->size(),
                           " numbers, the prior's embedding_dim is ", width());
        return embeds;
    }

    /// The negative embedding as in diffusers: negative_prompt's, sampled. If that is empty, the negative of an empty
    /// prompt, which is negative_prior_prompt's embedding, sampled, or the zero image's.
    result<std::vector<float>> negative_of(auto& random, const embedding_options& options,
                                           const interpolation_options& more) const {
        if (more.negative_prompt.empty() && !more.negative_prior_prompt) {
            // diffusers samples here, too, and discards the result: the generator is left in the same state
            const auto steps = pipeline_.plan(options);
            if (!steps) return steps.error();
            std::vector<float> drawn(to_size(options.num_images_per_prompt * width()));
            if (options.latents.empty()) random.randn(std::span<float>(drawn));
            for (const step_coefficients& c : steps->steps())
                if (c.draws_noise) random.randn(std::span<float>(drawn));
            return zero_embeds(options.num_images_per_prompt);
        }
        auto made = run({&more.negative_prompt, 1}, random, options, {});
        if (!made) return made.error();
        return std::move(more.negative_prompt.empty() ? made->negative_image_embeds : made->image_embeds);
    }

    text_to_embedding<Tokenizer, TextEncoder, Prior> pipeline_;
    ImageEncoder image_encoder_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
