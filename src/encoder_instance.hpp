// SPDX-License-Identifier: Apache-2.0
// One of CLIP's encoders on one device, as an any_text_encoder or any_image_encoder.
#pragma once

#include "any_prior.hpp"
#include "apriori/models/clip_text_model.hpp"
#include "apriori/models/clip_vision_model.hpp"
#include "apriori/models/read_model_config.hpp"

#include <utility>

namespace apriori::program {

/// A model and its device. For platforms see prior_instance.hpp.
template <class Model, class Platform>
struct hosted_model {
    static result<hosted_model> load(const any_source& weights, int threads) {
        auto platform = Platform::open(threads);
        if (!platform) return platform.error();
        auto model = Model::load((*platform)->device(), weights);
        if (!model) return model.error();
        return hosted_model{std::move(*platform), std::move(*model)};
    }
    std::unique_ptr<Platform> platform;
    Model model;
};

template <class Model, class Platform>
class text_encoder_instance final : public any_text_encoder {
public:
    explicit text_encoder_instance(hosted_model<Model, Platform> hosted) : hosted_(std::move(hosted)) {}
    std::int32_t vocab_size() const override { return hosted_.model.vocab_size(); }
    std::uint64_t weights_hash() const override { return hosted_.model.weights_block().hash; }
    result<clip_text_encoding> encode(std::span<const std::int32_t> input_ids, index_t rows,
                                      std::span<const std::uint8_t> attention_mask) const override {
        return hosted_.model.encode(input_ids, rows, attention_mask);
    }

private:
    hosted_model<Model, Platform> hosted_;
};

template <class Model, class Platform>
class image_encoder_instance final : public any_image_encoder {
public:
    explicit image_encoder_instance(hosted_model<Model, Platform> hosted) : hosted_(std::move(hosted)) {}
    result<clip_vision_encoding> encode(std::span<const float> pixel_values, index_t rows) const override {
        return hosted_.model.encode(pixel_values, rows);
    }

private:
    hosted_model<Model, Platform> hosted_;
};

/// Loads a model as an instance of one of the two.
template <class Encoder, template <class, class> class Instance, class Model, class Platform>
result<std::unique_ptr<Encoder>> load_encoder(const any_source& weights, int threads) {
    auto hosted = hosted_model<Model, Platform>::load(weights, threads);
    if (!hosted) return hosted.error();
    return std::unique_ptr<Encoder>(new Instance<Model, Platform>(std::move(*hosted)));
}

/// A text encoder on a platform: the entries of a unit.
template <CLIPTextConfig Config, class Platform, class Format>
const entry_list* entries_of(std::string_view name) {
    using model = CLIPTextModelWithProjection<Config, typename Platform::device_type, Format>;
    static const text_encoder_entry entry{name, Platform::device_type::name, Config,
                                          &load_encoder<any_text_encoder, text_encoder_instance, model, Platform>};
    static const entry_list list{.priors = {}, .text_encoders = {&entry, 1}, .image_encoders = {}};
    return &list;
}
/// An image encoder on a platform: the entries of a unit.
template <CLIPVisionConfig Config, class Platform, class Format>
const entry_list* entries_of(std::string_view name) {
    using model = CLIPVisionModelWithProjection<Config, typename Platform::device_type, Format>;
    static const image_encoder_entry entry{name, Platform::device_type::name, Config,
                                           &load_encoder<any_image_encoder, image_encoder_instance, model, Platform>};
    static const entry_list list{.priors = {}, .text_encoders = {}, .image_encoders = {&entry, 1}};
    return &list;
}
/// Both encoders of a CLIPModel.
template <clip_model_configs Configs, class Platform, class Format>
const entry_list* entries_of(std::string_view name) {
    static const entry_list list{.priors = {},
                                 .text_encoders = entries_of<Configs.text, Platform, Format>(name)->text_encoders,
                                 .image_encoders = entries_of<Configs.vision, Platform, Format>(name)->image_encoders};
    return &list;
}

} // namespace apriori::program
