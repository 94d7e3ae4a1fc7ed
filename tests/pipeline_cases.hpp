// SPDX-License-Identifier: Apache-2.0
// The calls of tests/reference/pipelines, which diffusers' own pipelines answered, on any device: words in, embeddings out, from
// the seeds of torch's generator.
#pragma once

#include "model_testing.hpp"

#include "apriori/core/torch_random.hpp"
#include "apriori/io/clip_config_json.hpp"
#include "apriori/io/clip_tokenizer_files.hpp"
#include "apriori/io/config_json.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/models/clip_text_model.hpp"
#include "apriori/pipelines/text_to_embedding.hpp"

#include <filesystem>

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
inline constexpr PriorConfig prior_config{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 12, .num_embeddings = 16};

/// The value of a result that must be there.
template <class T>
T value_of(result<T> r) {
    if (!r) throw std::runtime_error(r.error().message);
    return std::move(*r);
}

/// calls.json.
inline const io::json& calls() {
    static const io::json all = [] {
        const auto file = value_of(io::mapped_file::open(models_folder / "calls.json"));
        return value_of(io::parse_json(file.text(), "calls.json"));
    }();
    return all;
}

/// A recorded tensor; empty where there is none.
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
    io::json arguments;

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

    /// Every number is diffusers', and the generator has drawn what diffusers' has drawn.
    void expect(const char* field, std::span<const float> got) const {
        const auto wanted = recorded(name + "." + field);
        ASSERT_FALSE(wanted.empty()) << name << "." << field;
        EXPECT_TRUE(within(worst_of(std::vector<float>(got.begin(), got.end()), wanted))) << name << "." << field;
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

/// run(call) for each recorded call of a pipeline.
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

/// Tokenizer and models on a device.
template <class Device>
struct models {
    using text_encoder_type = CLIPTextModelWithProjection<text_config, Device>;
    using prior_type = PriorTransformer<prior_config, Device>;

    Device device;
    clip_tokenizer tokenizer = value_of(io::load_clip_tokenizer(digits_folder / "tokenizer"));
    text_encoder_type text_encoder = load<text_encoder_type>(device, "text_encoder");
    prior_type prior = load<prior_type>(device, "prior");

    auto text_to_embedding(const char* scheduler = "prior_scheduler") const {
        return apriori::text_to_embedding(tokenizer, text_encoder, prior, load_scheduler(scheduler));
    }
};

template <class Device>
void check_unclip() {
    const models<Device> m;
    EXPECT_EQ(value_of(io::load_clip_text_config(models_folder / "text_encoder")), text_config);
    EXPECT_EQ(canonical(value_of(io::load_prior_config(models_folder / "prior"))), canonical(prior_config));
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
            c.expect("image_embeds", made.values);
            c.expect_drawn(random);
        });
}

} // namespace pipeline_testing
