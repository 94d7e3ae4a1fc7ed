// SPDX-License-Identifier: Apache-2.0
// transformers' CLIPVisionModel and CLIPVisionModelWithProjection: normalised pixels in, embeddings of the image out
// (Radford et al. 2021; Dosovitskiy et al. 2021).
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/models/clip_encoding.hpp"
#include "apriori/models/clip_layers.hpp"
#include "apriori/models/clip_source.hpp"
#include "apriori/models/device_array.hpp"
#include "apriori/models/packed_weights.hpp"

#include <memory>
#include <span>
#include <vector>

namespace apriori {

/// How much a workspace must hold at once.
struct clip_vision_limits {
    index_t rows = 1; ///< images worked off together
};

/// What forward returns: last_hidden_state [rows, tokens, hidden_size], before any norm as transformers has it, and
/// image_embeds [rows, projection_dim], or without a projection pooler_output [rows, hidden_size].
template <CLIPVisionConfig C>
struct CLIPVisionModelOutput {
    status state{};
    view<float, extents<dyn, C.tokens(), C.hidden_size>> last_hidden_state{};
    view<float, extents<dyn, C.output_dim()>> image_embeds{};
};

namespace detail {

/// The model for a checked configuration; see CLIPVisionModelWithProjection below.
template <CLIPVisionConfig C, class Device, class Format>
class clip_vision_model {
public:
    static constexpr CLIPVisionConfig config = C;
    static constexpr index_t width = C.hidden_size, embedding = C.output_dim(), tokens = C.tokens();
    using device_type = Device;
    using format = Format;
    using output = CLIPVisionModelOutput<C>;
    using weights = packed_weights<model_of<C>, Device, Format>;
    /// Pixels as CLIPImageProcessor gives them: channels first, mean and deviation taken out.
    using pixels = view<const float, extents<dyn, C.num_channels, C.image_size, C.image_size>>;

    /// A model on `device`, which must outlive it, with weights that it shares.
    clip_vision_model(Device& device, std::shared_ptr<const weights> w) : device_(&device), weights_(std::move(w)) {}

    /// Loads the weights from a tensor source (io/).
    template <tensor_source Source>
    static result<clip_vision_model> load(Device& device, const Source& source) {
        auto w = weights::load(device, clip_source(source, "vision_model."));
        if (!w) return w.error();
        return clip_vision_model(device, std::move(*w));
    }

    /// Bytes that forward needs for up to l.rows images at a time.
    static constexpr std::size_t workspace_bytes(clip_vision_limits l) { return plan_forward<0>(l, 1).workspace; }
    /// All launches of one forward of l.rows images, in order, with their costs.
    static constexpr auto plan(clip_vision_limits l) {
        return plan_forward<8 + C.num_channels * C.patch_size + 8 * C.num_hidden_layers>(l, C.num_hidden_layers);
    }

    /// Encodes images. `last_hidden_state` receives [rows, tokens, hidden_size] floats and `image_embeds`
    /// [rows, output_dim()], in the device's memory; `memory` is workspace of the device of at least workspace_bytes(l),
    /// aligned to buffer_alignment. More than l.rows images are worked off l.rows at a time. Errors, before anything is
    /// written: shape_mismatch, workspace_too_small.
    output forward(const pixels& pixel_values, float* last_hidden_state, float* image_embeds,
                   std::span<std::byte> memory, clip_vision_limits l = {}) const {
        if (l.rows < 1) l.rows = 1;
        const index_t rows = pixel_values.ext()[0];
        output out{rows < 1 ? status::shape("pixel_values: needs an image or more", rows, 1)
                            : check_workspace(memory, workspace_bytes(l)),
                   {last_hidden_state, extents<dyn, tokens, width>(rows)},
                   {image_embeds, extents<dyn, embedding>(rows)}};
        workspace w(memory);
        context ctx(*device_, w);
        for (index_t first = 0; first < rows && out.state.ok(); first += l.rows)
            out.state = run(ctx, weights_->operands(), pixel_values, out, first, std::min(l.rows, rows - first),
                            C.num_hidden_layers);
        return out;
    }

    /// Encodes images on the host, pixel_values [rows, num_channels, image_size, image_size], up to l.rows together.
    /// Allocates.
    result<clip_vision_encoding> encode(std::span<const float> pixel_values, index_t rows,
                                        clip_vision_limits l = {.rows = 2}) const {
        constexpr index_t image = index_t{C.num_channels} * C.image_size * C.image_size;
        const auto count = static_cast<index_t>(pixel_values.size());
        if (rows < 1 || count != rows * image)
            return failure{errc::shape_mismatch, "pixel_values: " + std::to_string(count) + " numbers are not " +
                                                     std::to_string(rows) + " images of " + std::to_string(image)};
        l.rows = std::min(l.rows, rows);
        device_array<float, Device> there(*device_, count), hidden(*device_, rows * tokens * width),
            embeds(*device_, rows * embedding);
        device_array<std::byte, Device> memory(*device_, static_cast<index_t>(workspace_bytes(l)));
        if (!there.ok() || !hidden.ok() || !embeds.ok() || !memory.ok())
            return failure{errc::device_error, "no memory for the image encoder's tensors"};
        clip_vision_encoding out{rows, std::vector<float>(static_cast<std::size_t>(rows * tokens * width)),
                                 std::vector<float>(static_cast<std::size_t>(rows * embedding))};
        status s = there.write(pixel_values);
        if (s.ok())
            s = forward(pixels(there.data(), typename pixels::extents_type(rows)), hidden.data(), embeds.data(),
                        memory.bytes(), l)
                    .state;
        if (s.ok()) s = device_->synchronize();
        if (s.ok()) s = hidden.read(out.last_hidden_state);
        if (s.ok()) s = embeds.read(out.image_embeds);
        if (!s.ok()) return to_failure(s);
        return out;
    }

    /// Kandinsky's zero image embedding [output_dim()]: of normalised pixels that are all 0 (diffusers' get_zero_embed).
    result<std::vector<float>> zero_image_embedding() const {
        auto encoded = encode(std::vector<float>(std::size_t{C.num_channels} * C.image_size * C.image_size), 1);
        if (!encoded) return encoded.error();
        return std::move(encoded->image_embeds);
    }

    Device& device() const noexcept { return *device_; }
    const std::shared_ptr<const weights>& shared_weights() const noexcept { return weights_; }

private:
    using layers = clip_layers<C, typename Device::template packed<Format>>;
    using operands = typename layers::operands;
    static constexpr index_t grid = C.grid(), edge = C.patch_size, depth = C.num_channels * edge * edge;

    template <int Capacity>
    static constexpr auto plan_forward(clip_vision_limits l, int layers) {
        if (l.rows < 1) l.rows = 1;
        return plan_body<Device, Capacity>([&](auto& ctx) {
            const output out{
                {}, {nullptr, extents<dyn, tokens, width>(l.rows)}, {nullptr, extents<dyn, embedding>(l.rows)}};
            return run(ctx, operands{}, pixels(nullptr, typename pixels::extents_type(l.rows)), out, 0, l.rows, layers);
        });
    }

    /// out [count, grid * grid, depth] = the patches of images: one copy for each line of a patch, all patches at once.
    template <class Context, class Out>
    static constexpr status cut(Context& ctx, const Out& out, const pixels& in, index_t first, index_t count) {
        using lines = extents<dyn, grid, grid, edge>; // [images, down, across, along a line]
        for (index_t c = 0; c < C.num_channels; ++c)
            for (index_t y = 0; y < edge; ++y) {
                const index_t from = first * in.stride(0) + c * in.stride(1) + y * in.stride(2);
                const view<const float, lines, layout::rows> source(advance(in.data, from), lines(count),
                                                                    {in.stride(0), edge * in.stride(2), edge, 1});
                const view<float, lines, layout::rows> to(advance(out.data, (c * edge + y) * edge), lines(count),
                                                          {grid * grid * depth, grid * depth, depth, 1});
                if (const status s = ctx.assign(to, source); !s.ok()) return s;
            }
        return {};
    }

    /// Images first .. first + count through the whole model.
    template <class Context>
    static constexpr status run(Context& ctx, const operands& w, const pixels& in, const output& out, index_t first,
                                index_t count, int layer_count) {
        // The hidden states are computed where they are to be in the end.
        const view<float, extents<dyn, tokens, width>> sequence(
            advance(out.last_hidden_state.data, first * tokens * width), extents<dyn, tokens, width>(count));
        const view<float, extents<dyn, width>> x(sequence.data, extents<dyn, width>(count * tokens));
        const auto positions = w.template table<clip_slot::positions, width>(); // [tokens, hidden]
        {
            workspace::scope s(ctx.memory);
            const auto patches =
                ctx.temporary(extents<dyn, grid * grid, depth>(count)); // [rows, patches, channels * edge * edge]
            if (const status r = cut(ctx, patches, in, first, count); !r.ok()) return r;
            if (const status r = ctx.assign(slice<1, tokens - 1>(sequence, 1),
                                            linear(patches, w.template matrix<clip_slot::patches>()) +
                                                slice<0, tokens - 1>(positions, 1));
                !r.ok())
                return r;
        }
        if (const status r = ctx.assign(slice<1, 1>(sequence, 0),
                                        w.template vector<clip_slot::class_token>() + slice<0, 1>(positions, 0));
            !r.ok())
            return r;
        if (const status r = ctx.assign(x, layer_norm(x, w.template vector<clip_slot::pre_norm>(),
                                                      w.template vector<clip_slot::pre_norm_bias>(), C.layer_norm_eps));
            !r.ok())
            return r;
        const attention_rows attends{count, tokens, nullptr, 0, false};
        if (const status r = layers::run(ctx, w, x, attends, layer_count); !r.ok()) return r;

        const view<const float, extents<dyn, width>, layout::rows> pooled(sequence.data, extents<dyn, width>(count),
                                                                          {tokens * width, 1});
        const view<float, extents<dyn, embedding>> embeds(advance(out.image_embeds.data, first * embedding),
                                                          extents<dyn, embedding>(count));
        return ctx.assign(embeds, layers::project(w, layers::final_norm(w, pooled)));
    }

    Device* device_;
    std::shared_ptr<const weights> weights_;
};

template <CLIPVisionConfig C>
consteval CLIPVisionConfig checked_vision() {
    static_assert(validate<C>());
    return canonical(C);
}

} // namespace detail

/// CLIP's image encoder of a configuration (models/clip_config.hpp) on a device, its weights packed in a Format
/// (core/weight_format.hpp); with projection_dim 0 the same as CLIPVisionModel.
template <CLIPVisionConfig Config, class Device, class Format = f32>
using CLIPVisionModelWithProjection = detail::clip_vision_model<detail::checked_vision<Config>(), Device, Format>;

/// The image encoder without projection: image_embeds is transformers' pooler_output. Shap-E's prior takes its
/// last_hidden_state without the class token.
template <CLIPVisionConfig Config, class Device, class Format = f32>
using CLIPVisionModel = CLIPVisionModelWithProjection<without_projection(Config), Device, Format>;

} // namespace apriori
