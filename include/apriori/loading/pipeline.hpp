// SPDX-License-Identifier: Apache-2.0
// Pipelines from the folders that diffusers saves: from texts to image embeddings.
//
//     auto pipeline = load<kandinsky_2_2>(device, "kandinsky-2-2-prior");
//     auto embeddings = (*pipeline)("a cat", {.seed = 1});
//
// A pipeline type consists of its parts' configurations: presets, or others.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/torch_random.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/io/clip_tokenizer_files.hpp"
#include "apriori/io/pipeline_folder.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "apriori/loading/model.hpp"
#include "apriori/models/clip_text_model.hpp"
#include "apriori/models/clip_vision_model.hpp"
#include "apriori/pipelines/kandinsky_prior.hpp"
#include "apriori/pipelines/text_to_embedding.hpp"

#include <concepts>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The arguments of a loaded pipeline besides its texts; names and defaults are diffusers'.
struct call_options {
    std::uint64_t seed = 0; ///< of torch_generator: the numbers of torch.Generator("cpu").manual_seed(seed)
    int num_inference_steps = 25;
    index_t num_images_per_prompt = 1;
    float guidance_scale = 4.0f;                                         ///< 1 and less: no guidance
    std::optional<std::string_view> negative_prompt{};                   ///< all texts are guided away from it
    std::function<bool(const sampling_step&)> callback_on_step_end = {}; ///< returning false stops the sampling
};

/// A pipeline with all its parts, on a device that must outlive it. Calls allocate. A pipeline may be called from only
/// one thread at a time. Parts is a pipeline type as below.
template <class Parts, class Device, class Format>
class loaded_pipeline {
public:
    using pipeline_type = typename Parts::template pipeline<Device, Format>;

    loaded_pipeline(std::shared_ptr<const clip_tokenizer> tokenizer, pipeline_type pipeline)
        : tokenizer_(std::move(tokenizer)), pipeline_(std::move(pipeline)) {}

    /// Image embeddings of texts: [texts * num_images_per_prompt, width] floats and whatever else the pipeline returns
    /// (image_embeddings, kandinsky_embeddings).
    auto operator()(std::span<const std::string_view> texts, const call_options& options = {}) const {
        const std::vector<std::string_view> negative(options.negative_prompt ? texts.size() : 0,
                                                     options.negative_prompt.value_or(""));
        torch_generator random(options.seed);
        return pipeline_(texts, random,
                         {.num_inference_steps = options.num_inference_steps,
                          .num_images_per_prompt = options.num_images_per_prompt,
                          .guidance_scale = options.guidance_scale,
                          .negative_prompt = negative,
                          .mask_text_encoder = Parts::mask_text_encoder,
                          .callback_on_step_end = options.callback_on_step_end});
    }
    /// The same for one text.
    auto operator()(std::string_view text, const call_options& options = {}) const {
        return (*this)(std::span(&text, 1), options);
    }

    /// For what calls do not cover: generators, latents, images.
    const pipeline_type& pipeline() const noexcept { return pipeline_; }

private:
    std::shared_ptr<const clip_tokenizer> tokenizer_; ///< the pipeline refers to it
    pipeline_type pipeline_;
};

/// Karlo's and Stable unCLIP's prior pipeline (text_to_embedding).
template <PriorConfig Prior, CLIPTextConfig Text>
struct unclip {
    static constexpr bool mask_text_encoder = false; ///< see text_encoding_options
    template <class Device, class Format>
    using prior = PriorTransformer<Prior, Device, Format>;
    template <class Device, class Format>
    using text_encoder = CLIPTextModelWithProjection<Text, Device, Format>;
    template <class Device, class Format>
    using pipeline = text_to_embedding<clip_tokenizer, text_encoder<Device, Format>, prior<Device, Format>>;

    /// Checks that the folder has these configurations; reads only config.json files.
    static result<void> check(const io::pipeline_folder& folder) {
        if (auto r = detail::check_config(folder.prior(), Prior); !r) return r;
        return detail::check_config(folder.text_encoder(), Text);
    }
    template <class Format, class Device>
    static result<pipeline<Device, Format>> load(Device& device, const io::pipeline_folder& folder,
                                                 const clip_tokenizer& tokenizer, any_scheduler_config scheduler) {
        auto text = apriori::load<text_encoder<Device, Format>>(device, folder.text_encoder());
        if (!text) return text.error();
        auto model = apriori::load<prior<Device, Format>>(device, folder.prior());
        if (!model) return model.error();
        return pipeline<Device, Format>(tokenizer, std::move(*text), std::move(*model), std::move(scheduler));
    }
    static constexpr index_t tokens = Prior.num_embeddings;
};

/// Kandinsky's prior pipelines (kandinsky_prior).
template <PriorConfig Prior, CLIPTextConfig Text, CLIPVisionConfig Image>
struct kandinsky {
    static constexpr bool mask_text_encoder = false;
    template <class Device, class Format>
    using prior = PriorTransformer<Prior, Device, Format>;
    template <class Device, class Format>
    using text_encoder = CLIPTextModelWithProjection<Text, Device, Format>;
    template <class Device, class Format>
    using image_encoder = CLIPVisionModelWithProjection<Image, Device, Format>;
    template <class Device, class Format>
    using pipeline = kandinsky_prior<clip_tokenizer, text_encoder<Device, Format>, image_encoder<Device, Format>,
                                     prior<Device, Format>>;

    static result<void> check(const io::pipeline_folder& folder) {
        if (auto r = unclip<Prior, Text>::check(folder); !r) return r;
        return detail::check_config(folder.image_encoder(), Image);
    }
    template <class Format, class Device>
    static result<pipeline<Device, Format>> load(Device& device, const io::pipeline_folder& folder,
                                                 const clip_tokenizer& tokenizer, any_scheduler_config scheduler) {
        auto text = apriori::load<text_encoder<Device, Format>>(device, folder.text_encoder());
        if (!text) return text.error();
        auto image = apriori::load<image_encoder<Device, Format>>(device, folder.image_encoder());
        if (!image) return image.error();
        auto model = apriori::load<prior<Device, Format>>(device, folder.prior());
        if (!model) return model.error();
        return pipeline<Device, Format>(tokenizer, std::move(*text), std::move(*image), std::move(*model),
                                        std::move(scheduler));
    }
    static constexpr index_t tokens = Prior.num_embeddings;
};

// The published pipelines.
using karlo_v1_alpha = unclip<presets::karlo_v1_alpha, presets::clip_vit_l_14>;
using stable_unclip = unclip<presets::stable_unclip, presets::clip_vit_l_14>;
using kandinsky_2_1 = kandinsky<presets::kandinsky_2_1, presets::clip_vit_l_14, presets::clip_vit_l_14_vision>;
using kandinsky_2_2 = kandinsky<presets::kandinsky_2_2, presets::clip_vit_big_g_14, presets::clip_vit_big_g_14_vision>;
/// The trained miniature in examples/digits, whose text encoder was trained with its mask.
struct digits : unclip<presets::digits, presets::digits_text> {
    static constexpr bool mask_text_encoder = true;
};

/// A pipeline type, such as those above.
template <class P>
concept pipeline_parts = requires(const io::pipeline_folder& folder) {
    { P::check(folder) } -> std::same_as<result<void>>;
    { P::mask_text_encoder } -> std::convertible_to<bool>;
};

namespace detail {

/// The tokenizer of a folder, whose texts must have that many tokens.
result<std::shared_ptr<const clip_tokenizer>> load_tokenizer(const std::filesystem::path& folder, index_t tokens);

#if APRIORI_DEFINITIONS
APRIORI_FUNCTION result<std::shared_ptr<const clip_tokenizer>> load_tokenizer(const std::filesystem::path& folder,
                                                                              index_t tokens) {
    auto tokenizer = io::load_clip_tokenizer(folder);
    if (!tokenizer) return tokenizer.error();
    if (tokenizer->model_max_length() != tokens)
        return failure{errc::shape_mismatch,
                       io::cat(folder.string(), ": model_max_length is ", tokenizer->model_max_length(),
                               "; the prior's num_embeddings is ", tokens)};
    return std::make_shared<const clip_tokenizer>(*std::move(tokenizer));
}
#endif

} // namespace detail

/// Loads a pipeline from its folder, as diffusers saves it. Each config.json is compared with the types before any
/// weights are read; scheduler and tokenizer are read from their files. An error is one line that names file, field,
/// value and what is allowed. Format is the format of all models' packed weights.
template <pipeline_parts Parts, class Format = f32, class Device>
result<loaded_pipeline<Parts, Device, Format>> load(Device& device, const std::filesystem::path& path) {
    const auto folder = io::pipeline_folder::open(path);
    if (!folder) return folder.error();
    if (auto r = Parts::check(*folder); !r) return r.error();
    const auto scheduler = io::load_scheduler_config(folder->scheduler());
    if (!scheduler) return scheduler.error();
    const auto tokenizer = detail::load_tokenizer(folder->tokenizer(), Parts::tokens);
    if (!tokenizer) return tokenizer.error();
    auto pipeline = Parts::template load<Format>(device, *folder, **tokenizer, *scheduler);
    if (!pipeline) return pipeline.error();
    return loaded_pipeline<Parts, Device, Format>(*tokenizer, std::move(*pipeline));
}

} // namespace apriori
APRIORI_END_EXACT_MATH
