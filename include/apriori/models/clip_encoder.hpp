// SPDX-License-Identifier: Apache-2.0
// What CLIP's two encoders have in common, as expressions of their inputs: the stack of blocks, and the projection.
#pragma once

#include "apriori/layers/transformer_block.hpp"
#include "apriori/models/block_operands.hpp"
#include "apriori/models/clip_parameters.hpp"
#include "apriori/models/packed_operands.hpp"

#include <type_traits>

namespace apriori::detail {

template <auto C, class Packed>
struct clip_layers {
    using operands = packed_operands<model_of<C>, Packed>;
    using activation = std::conditional_t<C.hidden_act == clip_activation::gelu, fn::gelu, fn::quick_gelu>;
    using block_type = transformer_block<C.num_attention_heads, C.hidden_size, Packed, C.intermediate_size, activation>;
    static constexpr index_t width = C.hidden_size;
    static constexpr float scale = remaining_attention_scale(C.head_dim());

    /// x [rows, hidden_size] through `count` layers, in place.
    template <class Context, class X>
    static constexpr status run(Context& ctx, const operands& w, const X& x, const attention_rows& attends, int count) {
        for (int i = 0; i < count; ++i) {
            block_type block = block_operands<block_type, clip_slot>(w, i);
            block.eps = C.layer_norm_eps;
            if (const status s = block(ctx, x, attends, scale, fused_attention{}); !s.ok()) return s;
        }
        return {};
    }
    /// final_layer_norm or post_layernorm.
    template <class X>
    static constexpr auto final_norm(const operands& w, const X& x) {
        return layer_norm(x, w.template vector<clip_slot::final_norm>(),
                          w.template vector<clip_slot::final_norm_bias>(), C.layer_norm_eps);
    }
    /// Pooled rows x [rows, hidden_size] -> [rows, output_dim()].
    template <class X>
    static constexpr auto project(const operands& w, const X& x) {
        if constexpr (C.projection_dim > 0)
            return linear(x, w.template matrix<clip_slot::projection>());
        else
            return x;
    }
};

} // namespace apriori::detail
