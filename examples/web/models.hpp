// SPDX-License-Identifier: Apache-2.0
// The models of the page, as the WebAssembly uses them and as host/pack.cpp packs them.
#pragma once

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/vector_arch.hpp"
#include "apriori/models/clip_text_model.hpp"
#include "apriori/models/prior_transformer.hpp"

using device_type = apriori::cpu<apriori::arch_of_lanes<DIGITS_LANES>>;
using Prior = apriori::PriorTransformer<apriori::presets::digits, device_type, apriori::DIGITS_WEIGHTS>;
using TextEncoder = apriori::CLIPTextModelWithProjection<apriori::presets::digits_text, device_type>;

inline constexpr int width = 64, pixels = 64;

/// The decoder that draws an embedding: two linear layers, row-major as in its safetensors file.
struct decoder_weights {
    static constexpr int hidden = 256;
    float hidden_weight[hidden * width], hidden_bias[hidden], pixel_weight[pixels * hidden], pixel_bias[pixels];
};
