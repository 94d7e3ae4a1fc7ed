// SPDX-License-Identifier: Apache-2.0
// The recorded sampling of a folder of tests/reference/cases, run again on a device, step by step.
#pragma once

#include "reference_cases.hpp"

#include "apriori/pipelines/sample_prompts.hpp"
#include "apriori/schedulers/any_scheduler.hpp"

#include <algorithm>

namespace model_testing {

/// Latents have the rounding of many steps: ten times the tolerance of one forward, as in `apriori verify`.
inline constexpr double trace_tolerance = 2e-4;

/// Checks the latents after each step of a guided sampling, and the image embedding, against a folder's recorded ones;
/// passes if it has none. Samples incrementally if the model has masks.
template <class Model>
void check_sampling(const Model& model, const std::filesystem::path& folder) {
    using namespace apriori;
    const auto file = io::open_weights(folder / "cases.safetensors");
    ASSERT_TRUE(file) << file.error().message;
    if (!file->find("sample.out.trace")) return;
    const auto read = [&](std::string_view name) {
        const auto i = file->find("sample." + std::string(name));
        std::vector<float> values(i ? to_size(file->info(*i).size()) : 0);
        EXPECT_TRUE(i && file->read(*i, 0, values).ok()) << name;
        return values;
    };
    const auto text = read("in.encoder_hidden_states"), pooled = read("in.proj_embedding"),
               mask = read("in.attention_mask"), latents = read("in.latents"), noise = read("in.noise"),
               expected = read("out.trace"), image_embedding = read("out.image_embedding"),
               timesteps = read("timesteps");
    const std::vector<std::uint8_t> seen(mask.begin(), mask.end());

    schedule steps; // of the scheduler that generate.py uses
    ASSERT_TRUE(
        plan_schedule(UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample},
                      {.num_inference_steps = int(timesteps.size())}, steps)
            .ok());
    ASSERT_TRUE(std::ranges::equal(steps.timesteps(), timesteps));

    std::vector<prior_prompt> prompts;
    for (index_t i = 0; i < 2; ++i) {
        const auto half = [i]<class T>(const std::vector<T>& both) {
            return part(std::span<const T>(both), i * std::ssize(both) / 2, std::ssize(both) / 2);
        };
        prompts.push_back({half(pooled), half(text), half(seen)});
    }
    std::vector<float> trace;
    struct recorded_noise {
        std::span<const float> all;
        index_t next = 0; // recorded for every step; only the last one draws none
        void randn(std::span<float> z) {
            std::ranges::copy(part(all, next++ * std::ssize(z), std::ssize(z)), z.begin());
        }
    } random{noise};
    const auto sampled = sample_prompts(model, steps, std::span<const prior_prompt>(prompts), 1, 1, latents, random,
                                        {.guidance_scale = read("in.guidance_scale").at(0),
                                         .latents_for_callback = true,
                                         .on_step = [&](const sampling_step& step) {
                                             trace.insert(trace.end(), step.latents.begin(), step.latents.end());
                                             return true;
                                         }});
    ASSERT_TRUE(sampled) << sampled.error().message;
    EXPECT_TRUE(within(worst_of(trace, expected), trace_tolerance)) << "trace";
    EXPECT_TRUE(within(worst_of(*sampled, image_embedding), trace_tolerance)) << "image embedding";
}

/// Checks the sampling of a folder on a device.
template <PriorConfig Config, class Device>
void check_recorded_sampling(Device& device, const std::string& variant) {
    SCOPED_TRACE(variant + ", sampling on " + Device::name);
    const auto model = load_reference<apriori::PriorTransformer<Config, Device>>(device, variant);
    ASSERT_TRUE(model);
    check_sampling(*model, folder_of(variant));
}

} // namespace model_testing
