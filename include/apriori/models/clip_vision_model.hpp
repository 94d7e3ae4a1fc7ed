// SPDX-License-Identifier: Apache-2.0
// transformers' CLIPVisionModel and CLIPVisionModelWithProjection: from normalised pixels to embeddings of the image
// (Radford et al. 2021; Dosovitskiy et al. 2021).
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/models/clip_encoder.hpp"
#include "apriori/models/clip_encoding.hpp"

#include <span>
#include <string>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The largest inputs that a workspace is for.
struct clip_vision_limits {
    index_t rows = 1; ///< images that are encoded together

    constexpr clip_vision_limits filled_in(const CLIPVisionConfig&) const noexcept { return {rows < 1 ? 1 : rows}; }
};

/// Pixels in the device's memory as from CLIPImageProcessor: channels first, normalised by mean and deviation.
template <CLIPVisionConfig C>
struct CLIPVisionInput {
    using extents_type = extents<dyn, C.num_channels, C.image_size, C.image_size>;

    view<const float, extents_type> pixel_values{};

    constexpr CLIPVisionInput(const view<const float, extents_type>& p) : pixel_values(p) {}
    constexpr CLIPVisionInput(const float* p, const extents_type& shape) : pixel_values(p, shape) {}

    constexpr index_t rows() const noexcept { return pixel_values.ext()[0]; }
    static constexpr index_t tokens() noexcept { return C.tokens(); }

    static constexpr CLIPVisionInput shaped(const clip_vision_limits& l) { return {nullptr, extents_type(l.rows)}; }
    constexpr status check(const clip_vision_limits&, const CLIPVisionConfig&) const noexcept {
        return detail::fitting(rows() >= 1 && pixel_values.data != nullptr, "pixel_values: needs an image or more",
                               rows(), 1);
    }
};

/// The result of forward: last_hidden_state [rows, tokens, hidden_size], before any norm, as in transformers, and
/// image_embeds [rows, projection_dim], or without a projection pooler_output [rows, hidden_size].
template <CLIPVisionConfig C>
struct CLIPVisionModelOutput {
    status state{};
    view<float, extents<dyn, C.tokens(), C.hidden_size>> last_hidden_state{};
    view<float, extents<dyn, C.output_dim()>> image_embeds{};

    /// The output of `in` in these spans; its state is shape_mismatch if one is too small.
    static constexpr CLIPVisionModelOutput of(const CLIPVisionInput<C>& in, std::span<float> hidden = {},
                                              std::span<float> embeds = {}) {
        const extents<dyn, C.tokens(), C.hidden_size> tokens(in.rows());
        const extents<dyn, C.output_dim()> rows(in.rows());
        return {detail::first_error(
                    detail::room(hidden, tokens,
                                 "last_hidden_state: a span of rows * tokens * hidden_size floats is needed"),
                    detail::room(embeds, rows, "image_embeds: a span of rows * projection_dim floats is needed")),
                {hidden.data(), tokens},
                {embeds.data(), rows}};
    }
};

namespace detail {

/// The architecture (models/model.hpp) of a checked configuration.
template <CLIPVisionConfig C>
struct clip_vision_architecture {
    static constexpr CLIPVisionConfig config = C;
    using limits = clip_vision_limits;
    using input = CLIPVisionInput<C>;
    using output = CLIPVisionModelOutput<C>;
    using encoding = clip_vision_encoding;
    static constexpr auto embeds = &clip_vision_encoding::image_embeds;
    static constexpr const char* prefix = "vision_model.";
    static constexpr int layers = C.num_hidden_layers, distinct_layers = 1;
    static constexpr int launches = 8 + C.num_channels * C.patch_size + 8 * C.num_hidden_layers;

    template <class Context, class W>
    static constexpr void run(Context& to, const W& w, const input& in, const output& out, index_t first, index_t count,
                              int blocks) {
        constexpr index_t tokens = C.tokens(), width = C.hidden_size;
        const clip_layers<C, W> network{w};
        const auto positions = w["embeddings.position_embedding.weight"_w]; // [tokens, hidden]
        // The hidden states are computed in place, in the output.
        const auto sequence = slice<0>(out.last_hidden_state, first, count);   // [rows, tokens, hidden]
        const auto x = reshape(sequence, extents<dyn, width>(count * tokens)); // [rows * tokens, hidden]
        embed_patches(to, w["embeddings.patch_embedding.weight"_w], in, first, slice<1, tokens - 1>(sequence, 1),
                      slice<0, tokens - 1>(positions, 1));
        to(slice<1, 1>(sequence, 0)) = w["embeddings.class_embedding"_w] + slice<0, 1>(positions, 0);
        to(x) = network.norm("pre_layrnorm"_w, x);
        network.run(to, x, attention_rows{count, tokens}, blocks);

        const auto pooled = rows_of<width>(sequence.data, count, tokens * width); // the class tokens
        to(slice<0>(out.image_embeds, first, count)) =
            network.project("visual_projection.weight"_w, network.norm("post_layernorm"_w, pooled));
    }

private:
    static constexpr index_t grid = C.grid(), edge = C.patch_size, depth = C.num_channels * edge * edge;

    /// out [rows, grid * grid, hidden] = the convolution of the patches of images from `first` on, plus `positions`.
    template <class Context, class W, class Out, class Positions>
    static constexpr void embed_patches(Context& to, const W& w, const input& in, index_t first, const Out& out,
                                        const Positions& positions) {
        const auto temporaries = to.scope();
        const index_t count = out.ext()[0];
        const auto patches =
            to.temporary(extents<dyn, grid * grid, depth>(count)); // [rows, patches, channels * edge * edge]
        // one copy for each line of a patch, all patches at once
        using lines = extents<dyn, grid, grid, edge>; // [images, down, across, along a line]
        const auto& pixels = in.pixel_values;
        for (index_t c = 0; c < C.num_channels; ++c)
            for (index_t y = 0; y < edge; ++y) {
                const index_t from = first * pixels.stride(0) + c * pixels.stride(1) + y * pixels.stride(2);
                const view<const float, lines, layout::rows> source(
                    advance(pixels.data, from), lines(count), {pixels.stride(0), edge * pixels.stride(2), edge, 1});
                const view<float, lines, layout::rows> line(advance(patches.data, (c * edge + y) * edge), lines(count),
                                                            {grid * grid * depth, grid * depth, depth, 1});
                to(line) = source;
            }
        to(out) = linear(patches, w) + positions;
    }
};

/// The model for a checked configuration; see CLIPVisionModelWithProjection below.
template <CLIPVisionConfig C, class Device, class Format>
class clip_vision_model
    : public clip_encoder<clip_vision_model<C, Device, Format>, clip_vision_architecture<C>, Device, Format> {
    using base = clip_encoder<clip_vision_model, clip_vision_architecture<C>, Device, Format>;

public:
    static constexpr index_t tokens = C.tokens(), image = index_t{C.num_channels} * C.image_size * C.image_size;
    using pixels = view<const float, typename CLIPVisionInput<C>::extents_type>;
    using base::base;

    /// Encodes images on the host, pixel_values [rows, num_channels, image_size, image_size], up to l.rows together.
    /// Allocates. shape_mismatch for another number of pixels.
    result<clip_vision_encoding> encode(std::span<const float> pixel_values, index_t rows,
                                        clip_vision_limits l = {.rows = 2}) const {
        const index_t count = std::ssize(pixel_values);
        if (rows < 1 || count != rows * image)
            return failure(errc::shape_mismatch, "pixel_values: ", count, " numbers are not ", rows, " images of ",
                           image);
        device_staging<Device> on(this->device(), "no memory for the image encoder's tensors");
        const auto there = on.copy(pixel_values);
        return this->encode_on(on, {there.data(), typename CLIPVisionInput<C>::extents_type(rows)}, l);
    }

    /// Kandinsky's zero image embedding [output_dim()]: that of normalised pixels that are all
    /// 0 (diffusers' get_zero_embed).
    result<std::vector<float>> zero_image_embedding() const {
        auto encoded = encode(std::vector<float>(image), 1);
        if (!encoded) return encoded.error();
        return std::move(encoded->image_embeds);
    }
};

} // namespace detail

/// CLIP's image encoder of a configuration (models/clip_config.hpp) on a device, with weights packed in a Format
/// (core/weight_format.hpp). With projection_dim 0 it is CLIPVisionModel.
template <CLIPVisionConfig Config, class Device, class Format = f32>
using CLIPVisionModelWithProjection = detail::clip_vision_model<detail::checked<Config>(), Device, Format>;

/// The image encoder without a projection: image_embeds is transformers' pooler_output. Shap-E's prior takes its
/// last_hidden_state without the class token.
template <CLIPVisionConfig Config, class Device, class Format = f32>
using CLIPVisionModel = CLIPVisionModelWithProjection<without_projection(Config), Device, Format>;

} // namespace apriori
APRIORI_END_EXACT_MATH
