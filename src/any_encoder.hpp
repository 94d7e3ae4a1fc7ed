// SPDX-License-Identifier: Apache-2.0
// CLIP's encoders of any configuration on any device, and their compiled entries.
#pragma once

#include "any_source.hpp"
#include "apriori/core/result.hpp"
#include "apriori/models/clip_config.hpp"
#include "apriori/models/clip_encoding.hpp"

#include <memory>
#include <span>
#include <string_view>

namespace apriori::program {

class any_text_encoder {
public:
    virtual ~any_text_encoder() = default;
    /// Ids must be below this.
    virtual std::int32_t vocab_size() const = 0;
    /// Equal for equal models.
    virtual std::uint64_t weights_hash() const = 0;
    /// Encodes ids [rows, tokens]; see CLIPTextModelWithProjection::encode.
    virtual result<clip_text_encoding> encode(std::span<const std::int32_t> input_ids, index_t rows,
                                              std::span<const std::uint8_t> attention_mask) const = 0;
};

class any_image_encoder {
public:
    virtual ~any_image_encoder() = default;
    /// Encodes normalised pixels [rows, num_channels, image_size, image_size]; see
    /// CLIPVisionModelWithProjection::encode.
    virtual result<clip_vision_encoding> encode(std::span<const float> pixel_values, index_t rows) const = 0;
};

/// A compiled configuration on a device, with f32 weights.
template <class Config, class Encoder>
struct encoder_entry {
    std::string_view name; ///< name of the configuration: that of a preset, or from a file
    std::string_view device;
    Config config;
    result<std::unique_ptr<Encoder>> (*load)(const any_source& weights, int threads);
};
using text_encoder_entry = encoder_entry<CLIPTextConfig, any_text_encoder>;
using image_encoder_entry = encoder_entry<CLIPVisionConfig, any_image_encoder>;

} // namespace apriori::program
