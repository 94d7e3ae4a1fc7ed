// SPDX-License-Identifier: Apache-2.0
// The calls of tests/reference/pipelines, with the answers of diffusers' own pipelines, on any device: words in,
// embeddings out, from the seeds of torch's generator.
#pragma once

#include "model_testing.hpp"

#include "apriori/core/torch_random.hpp"
#include "apriori/io/clip_tokenizer_files.hpp"
#include "apriori/io/config_json.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/models/clip_text_model.hpp"
#include "apriori/models/clip_vision_model.hpp"
#include "apriori/pipelines/best_of.hpp"
#include "apriori/pipelines/kandinsky_prior.hpp"
#include "apriori/pipelines/noise_image_embeddings.hpp"
#include "apriori/pipelines/shap_e_prior.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

namespace pipeline_testing {

using namespace apriori;
using model_testing::within;
using model_testing::worst_of;

inline const std::filesystem::path models_folder = std::filesystem::path(APRIORI_TEST_DATA) / "pipelines";
inline const std::filesystem::path digits_folder = APRIORI_DIGITS;

inline constexpr CLIPTextConfig text_config{.vocab_size = 611,
                                            .hidden_size = 12,
                                            .intermediate_size = 20,
                                            .projection_dim = 12,
                                            .num_hidden_layers = 2,
                                            .num_attention_heads = 2,
                                            .max_position_embeddings = 16,
                                            .eos_token_id = 610};
inline constexpr CLIPVisionConfig image_config{.hidden_size = 16,
                                               .intermediate_size = 20,
                                               .projection_dim = 12,
                                               .num_hidden_layers = 1,
                                               .num_attention_heads = 2,
                                               .image_size = 8,
                                               .patch_size = 4};
inline constexpr PriorConfig prior_config{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 12, .num_embeddings = 16};

inline constexpr PriorConfig shap_e_config{.num_attention_heads = 2,
                                           .attention_head_dim = 8,
                                           .num_layers = 2,
                                           .embedding_dim = 6,
                                           .num_embeddings = 7,
                                           .additional_embeddings = 0,
                                           .time_embed_act_fn = activation::gelu,
                                           .norm_in_type = norm_type::layer,
                                           .encoder_hid_proj_type = hid_proj_type::none,
                                           .added_emb_type = added_emb::none,
                                           .time_embed_dim = 20,
                                           .embedding_proj_dim = 12,
                                           .clip_embed_dim = 12};
inline constexpr PriorConfig shap_e_img2img_config = [] {
    PriorConfig c = shap_e_config;
    c.embedding_proj_norm_type = norm_type::layer;
    c.embedding_proj_dim = 10;
    return c;
}();
inline constexpr CLIPVisionConfig shap_e_image_config = [] {
    CLIPVisionConfig c = image_config;
    c.hidden_size = 10;
    c.projection_dim = 0;
    return c;
}();

/// The value of a result that has to have one.
template <class T>
T value_of(result<T> r) {
    if (!r) throw std::runtime_error(r.error().message);
    return std::move(*r);
}

/// calls.json.
inline const nlohmann::json& calls() {
    static const nlohmann::json all = [] {
        const auto file = value_of(io::mapped_file::open(models_folder / "calls.json"));
        return nlohmann::json::parse(file.text());
    }();
    return all;
}

/// A recorded tensor; empty if there is none.
inline std::vector<float> recorded(const std::string& name) {
    static const auto file = value_of(io::open_weights(models_folder / "recorded.safetensors"));
    return file.find(name) ? value_of(io::read_tensor(file, name)) : std::vector<float>{};
}

template <class Model>
Model load(typename Model::device_type& device, const std::string& name) {
    const auto source = value_of(io::open_weights(models_folder / name));
    return value_of(Model::load(device, source));
}

inline any_scheduler_config load_scheduler(const std::string& name) {
    return value_of(io::load_scheduler_config(models_folder / name));
}

/// The arguments of a call.
struct call {
    std::string name;
    nlohmann::json arguments;

    template <class T>
    T get(const char* key, T otherwise) const {
        return arguments.contains(key) ? arguments[key].template get<T>() : otherwise;
    }
    std::vector<std::string> texts(const char* key) const { return get(key, std::vector<std::string>{}); }
    embedding_options options() const {
        embedding_options o;
        o.num_inference_steps = get("prior_num_inference_steps", get("num_inference_steps", 25));
        o.num_images_per_prompt = get("num_images_per_prompt", 1);
        o.guidance_scale = get("prior_guidance_scale", get("guidance_scale", 4.0f));
        return o;
    }
    torch_generator generator() const { return torch_generator(get("seed", std::uint64_t{0})); }

    /// Every number equals diffusers', and the generator has drawn as many numbers as diffusers' has.
    void expect(const char* field, std::span<const float> got, double tolerance = model_testing::tolerance) const {
        const auto wanted = recorded(name + "." + field);
        ASSERT_FALSE(wanted.empty()) << name << "." << field;
        EXPECT_TRUE(within(worst_of(std::vector<float>(got.begin(), got.end()), wanted), tolerance))
            << name << "." << field;
    }
    void expect_drawn(torch_generator& generator) const {
        std::vector<float> next(16);
        generator.randn(next);
        EXPECT_TRUE(within(worst_of(next, recorded(name + ".next")))) << name << ": other random numbers were drawn";
    }
};

inline std::vector<std::string_view> views(const std::vector<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

/// Calls run(call) for each recorded call of a pipeline.
template <class Run>
void each_call(const std::string& pipeline, std::size_t count, Run&& run) {
    std::size_t found = 0;
    for (const auto& item : calls().items()) {
        if (item.value()["pipeline"] != pipeline) continue;
        SCOPED_TRACE(item.key());
        run(call{item.key(), item.value()});
        ++found;
    }
    EXPECT_EQ(found, count) << pipeline;
}

/// The tokenizer, and models on a device.
template <class Device>
struct models {
    using text_encoder_type = CLIPTextModelWithProjection<text_config, Device>;
    using image_encoder_type = CLIPVisionModelWithProjection<image_config, Device>;
    using prior_type = PriorTransformer<prior_config, Device>;

    Device device;
    clip_tokenizer tokenizer = value_of(io::load_clip_tokenizer(digits_folder / "tokenizer"));
    text_encoder_type text_encoder = load<text_encoder_type>(device, "text_encoder");
    prior_type prior = load<prior_type>(device, "prior");
    image_encoder_type image_encoder = load<image_encoder_type>(device, "image_encoder");

    auto text_to_embedding(const char* scheduler = "prior_scheduler") const {
        return apriori::text_to_embedding(tokenizer, text_encoder, prior, load_scheduler(scheduler));
    }
    auto kandinsky() const {
        return kandinsky_prior(tokenizer, text_encoder, image_encoder, prior, load_scheduler("prior_scheduler"));
    }
};

template <class Device>
void check_unclip() {
    const models<Device> m;
    EXPECT_EQ(value_of(io::load_config<CLIPTextConfig>(models_folder / "text_encoder")), text_config);
    EXPECT_EQ(canonical(value_of(io::load_config<PriorConfig>(models_folder / "prior"))), canonical(prior_config));
    const auto pipeline = m.text_to_embedding();
    for (const bool masked : {false, true})
        each_call(masked ? "unclip_masked" : "unclip", masked ? 1 : 6, [&](const call& c) {
            auto random = c.generator();
            auto options = c.options();
            options.mask_text_encoder = masked;
            const auto texts = c.texts("prompt");
            const auto made = value_of(pipeline(views(texts), random, options));
            EXPECT_EQ(made.rows, static_cast<index_t>(texts.size()) * options.num_images_per_prompt);
            EXPECT_EQ(made.cut.front() > 0, c.name == "long");
            c.expect("image_embeds", made.image_embeds);
            c.expect_drawn(random);
        });
}

inline void expect_kandinsky(const call& c, const kandinsky_embeddings& made, torch_generator& random) {
    EXPECT_EQ(static_cast<index_t>(made.image_embeds.size()), made.rows * made.width);
    EXPECT_EQ(static_cast<index_t>(made.negative_image_embeds.size()), made.negative_rows * made.width);
    c.expect("image_embeds", made.image_embeds);
    c.expect("negative_image_embeds", made.negative_image_embeds);
    c.expect_drawn(random);
}

/// The recorded tensor that an argument of calls.json names: "images", "image 0", "embeds", "embed 0".
inline std::vector<float> given(const std::string& name) {
    const bool pixels = name.starts_with("image"), all = name.ends_with('s');
    const auto values = recorded(pixels ? "images" : "embeds");
    const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    if (all) return values;
    return name.ends_with('0') ? std::vector<float>(values.begin(), half) : std::vector<float>(half, values.end());
}

template <class Device>
void check_kandinsky() {
    const models<Device> m;
    const auto pipeline = m.kandinsky();
    for (const bool first : {false, true})
        each_call(first ? "kandinsky_2_1" : "kandinsky", first ? 1 : 3, [&](const call& c) {
            auto random = c.generator();
            auto options = c.options();
            const auto texts = c.texts("prompt"), negative = c.texts("negative_prompt");
            const auto away = views(negative);
            options.negative_prompt = away;
            expect_kandinsky(c, value_of(pipeline(views(texts), random, options)), random);
        });
    each_call("emb2emb", 3, [&](const call& c) {
        auto random = c.generator();
        auto options = c.options();
        const auto texts = c.texts("prompt"), negative = c.texts("negative_prompt");
        const auto away = views(negative);
        options.negative_prompt = away;
        const auto name = c.get("image", std::string());
        const auto values = given(name);
        std::variant<image_pixels, image_embeds> images = image_embeds{values};
        if (name.starts_with("image")) images = image_pixels{values};
        expect_kandinsky(c, value_of(pipeline.emb2emb(views(texts), images, c.get("strength", 0.3), random, options)),
                         random);
    });
}

template <class Device>
void check_interpolate() {
    const models<Device> m;
    const auto pipeline = m.kandinsky();
    for (const bool first : {false, true})
        each_call(first ? "interpolate_2_1" : "interpolate", first ? 1 : 4, [&](const call& c) {
            auto random = c.generator();
            const auto parts = c.texts("images_and_prompts");
            const auto weights = c.get("weights", std::vector<float>{});
            const auto negative = c.get("negative_prompt", std::string()),
                       prior = c.get("negative_prior_prompt", std::string());
            interpolation_options more{.negative_prompt = negative, .sum_samples = first};
            if (c.arguments.contains("negative_prior_prompt")) more.negative_prior_prompt = prior;
            const auto image = given("image 1");
            const auto conditions = [&](bool encoded, const std::vector<float>& embeds) {
                std::vector<weighted_condition> all;
                for (std::size_t i = 0; i < parts.size(); ++i) {
                    all.push_back({std::string_view(parts[i]), weights[i]});
                    if (parts[i] != "image 1") continue;
                    if (encoded)
                        all.back().what = image_embeds{embeds};
                    else
                        all.back().what = image_pixels{image};
                }
                return all;
            };
            const auto embeds = value_of(m.image_encoder.encode(image, 1)).image_embeds;
            expect_kandinsky(c, value_of(pipeline.interpolate(conditions(false, {}), random, c.options(), more)),
                             random);
            random = c.generator();
            expect_kandinsky(c, value_of(pipeline.interpolate(conditions(true, embeds), random, c.options(), more)),
                             random);
        });
}

/// The prior of StableUnCLIPPipeline takes DDPM's steps with the configuration of an UnCLIPScheduler. Its embeddings
/// are noised.
template <class Device>
void check_stable_unclip() {
    const models<Device> m;
    const auto unclip = std::get<UnCLIPSchedulerConfig>(load_scheduler("prior_scheduler"));
    const text_to_embedding pipeline(m.tokenizer, m.text_encoder, m.prior,
                                     DDPMSchedulerConfig{.num_train_timesteps = unclip.num_train_timesteps,
                                                         .beta_schedule = beta_kind::squaredcos_cap_v2,
                                                         .variance_type = unclip.variance_type,
                                                         .clip_sample = unclip.clip_sample,
                                                         .prediction_type = unclip.prediction_type,
                                                         .clip_sample_range = unclip.clip_sample_range});
    const auto file = value_of(io::open_weights(models_folder / "image_normalizer"));
    const auto mean = value_of(io::read_tensor(file, "mean")), std = value_of(io::read_tensor(file, "std"));
    const DDPMScheduler noising(std::get<DDPMSchedulerConfig>(load_scheduler("image_noising_scheduler")));
    each_call("stable_unclip", 2, [&](const call& c) {
        auto random = c.generator();
        const auto texts = c.texts("prompt");
        const auto made = value_of(pipeline(views(texts), random, c.options()));
        c.expect("negative_image_embeds", made.image_embeds); // the script stored the embeddings before noising there
        c.expect("image_embeds", value_of(noise_image_embeddings(made.image_embeds, {mean, std}, noising,
                                                                 c.get("noise_level", 0), random)));
        c.expect_drawn(random);
    });
}

inline shap_e_options shap_e_options_of(const call& c) {
    const auto o = c.options();
    return {o.num_inference_steps, o.num_images_per_prompt, o.guidance_scale};
}

/// Heun's steps start at sigmas far above 1 and multiply rounding errors: diffusers' own float32 latents differ from
/// those of its models in float64 by 1.5e-5 of the largest.
inline constexpr double shap_e_tolerance = 5e-5;

template <class Device>
void check_shap_e() {
    Device device;
    EXPECT_EQ(canonical(value_of(io::load_config<PriorConfig>(models_folder / "shap_e_prior"))),
              canonical(shap_e_config));
    EXPECT_EQ(canonical(value_of(io::load_config<PriorConfig>(models_folder / "shap_e_img2img_prior"))),
              canonical(shap_e_img2img_config));
    const auto scheduler = load_scheduler("shap_e_scheduler");
    const models<Device> m;
    const shap_e_prior texts_to_latents(load<PriorTransformer<shap_e_config, Device>>(device, "shap_e_prior"),
                                        scheduler);
    each_call("shap_e", 2, [&](const call& c) {
        auto random = c.generator();
        const auto texts = c.texts("prompt");
        c.expect("image_embeds",
                 value_of(texts_to_latents.from_texts(m.tokenizer, m.text_encoder, views(texts), random,
                                                      shap_e_options_of(c))),
                 shap_e_tolerance);
        c.expect_drawn(random);
    });
    using image_encoder_type = CLIPVisionModel<shap_e_image_config, Device>;
    const auto image_encoder = load<image_encoder_type>(device, "shap_e_image_encoder");
    const shap_e_prior images_to_latents(
        load<PriorTransformer<shap_e_img2img_config, Device>>(device, "shap_e_img2img_prior"), scheduler);
    each_call("shap_e_img2img", 1, [&](const call& c) {
        auto random = c.generator();
        c.expect(
            "image_embeds",
            value_of(images_to_latents.from_images(image_encoder, recorded("images"), 2, random, shap_e_options_of(c))),
            shap_e_tolerance);
        c.expect_drawn(random);
    });
}

} // namespace pipeline_testing
