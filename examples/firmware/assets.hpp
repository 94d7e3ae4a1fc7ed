// SPDX-License-Identifier: Apache-2.0
// The firmware's data besides the prior's weights: two prompts, and the decoder that draws an embedding.
// host/assets.cpp writes it in its layout in memory.
#pragma once

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/vector_arch.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <cstddef>
#include <cstdint>

using weights_format = apriori::DIGITS_WEIGHTS; // f32, w8a8, w4 ...: an option of CMakeLists.txt
using device_type = apriori::cpu<apriori::arch_of_lanes<DIGITS_LANES>>;
using Model = apriori::PriorTransformer<apriori::presets::digits, device_type, weights_format>;
using packed_matrix_type = device_type::packed<weights_format>;

inline constexpr float guidance_scale = DIGITS_GUIDANCE; // above 1 with two prompts
inline constexpr apriori::index_t branches = guidance_scale > 1.0f ? 2 : 1;

struct alignas(64) assets {
    static constexpr int width = 64, tokens = 16, hidden = 256, pixels = 64;

    struct prompt {
        float text_embeds[width];
        float last_hidden_state[tokens * width];
        std::uint8_t attention_mask[tokens];
    };
    alignas(64) std::byte hidden_weight[packed_matrix_type::stored_bytes(hidden, width)];
    alignas(64) std::byte pixel_weight[packed_matrix_type::stored_bytes(pixels, hidden)];
    float hidden_bias[hidden], pixel_bias[pixels];
    float digit_centroids[10][width];
    prompt prompts[branches]; ///< unconditional if there are two, then conditional
};
