// SPDX-License-Identifier: Apache-2.0
// What CLIP's two encoders have in common: the stack of blocks, the projection, and encoding from host to host.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/layers/transformer_block.hpp"
#include "apriori/models/clip_parameters.hpp"
#include "apriori/models/clip_source.hpp"
#include "apriori/models/model.hpp"

#include <type_traits>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

template <auto C, class W>
struct clip_layers {
    using activation = std::conditional_t<C.hidden_act == clip_activation::gelu, fn::gelu, fn::quick_gelu>;
    using block = transformer_block<C.num_attention_heads, C.hidden_size, W, activation>;

    W w;

    /// Passes x [rows, hidden_size] through `depth` layers, in place.
    template <class Context, class X>
    constexpr void run(Context& to, const X& x, const attention_rows& attends, int depth) const {
        constexpr float scale = remaining_attention_scale(C.head_dim());
        for (int i = 0; i < depth; ++i) block{w.layer(i), C.layer_norm_eps}(to, x, attends, scale, fused_attention{});
    }
    /// The norm of that name of x [.., hidden_size].
    constexpr auto norm(auto name, const auto& x) const { return w.layer_norm(name, x, C.layer_norm_eps); }
    /// Pooled rows x [rows, hidden_size] -> [rows, output_dim()], by the matrix of that name if the model has one.
    constexpr auto project(auto name, const auto& x) const {
        if constexpr (C.projection_dim > 0)
            return linear(x, w[name]);
        else
            return x;
    }
};

/// A model that returns hidden states and an embedding of each row. Its architecture has, besides (models/model.hpp),
///   prefix             of the names of its weights
///   encoding, embeds   the type that encode returns on the host, and its member for the embeddings
template <class Encoder, class Architecture, class Device, class Format>
class clip_encoder : public model<Encoder, Architecture, Device, Format> {
    using base = model<Encoder, Architecture, Device, Format>;

public:
    static constexpr index_t width = base::config.hidden_size, embedding = base::config.output_dim();
    using base::base;
    using typename base::input, typename base::output;

    /// Loads the weights from a tensor source (io/).
    static result<Encoder> load(Device& device, const tensor_source auto& source) {
        return base::load(device, clip_source(source, Architecture::prefix));
    }

    /// Encodes rows. `last_hidden_state` receives [rows, tokens, hidden_size] floats and `embeds` [rows, output_dim()],
    /// in the device's memory; `memory` is workspace of the device of at least workspace_bytes(l), aligned to
    /// buffer_alignment. More than l.rows rows are processed l.rows at a time. Errors, before anything is written:
    /// shape_mismatch, workspace_too_small, invalid_argument.
    output forward(const input& in, std::span<float> last_hidden_state, std::span<float> embeds,
                   std::span<std::byte> memory, typename Architecture::limits l = {}) const {
        return this->forward_into(output::of(in, last_hidden_state, embeds), in, memory, l);
    }

protected:
    /// Encodes an input in arrays of `on`, up to l.rows rows at a time.
    result<typename Architecture::encoding> encode_on(device_staging<Device>& on, const input& in,
                                                      typename Architecture::limits l) const {
        l.rows = (std::min)(l.rows, in.rows());
        typename Architecture::encoding out{in.rows(), in.tokens()};
        out.last_hidden_state.resize(to_size(in.rows() * in.tokens() * width));
        (out.*Architecture::embeds).resize(to_size(in.rows() * embedding));
        auto hidden = on.floats(in.rows() * in.tokens() * width), embeds = on.floats(in.rows() * embedding);
        auto memory = on.bytes(base::workspace_bytes(l));
        if (on.state) on.check(forward(in, hidden.span(), embeds.span(), memory.bytes(), l).state);
        on.read(hidden, std::span(out.last_hidden_state));
        on.read(embeds, std::span(out.*Architecture::embeds));
        if (!on.state) return to_failure(on.state);
        return out;
    }
};

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
