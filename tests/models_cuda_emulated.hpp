// SPDX-License-Identifier: Apache-2.0
// A small model for the emulated GPU, with prompts and samplings.
#pragma once

#include "apriori/core/torch_random.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cuda/device.hpp"
#include "reference_sampling.hpp"

#include "tiny.hpp"

namespace model_testing {

using namespace apriori;

using gpu_type = apriori::cuda<80>;
using host_type = cpu<scalar_arch>;
template <class Device, class Format = f32>
using tiny_on = PriorTransformer<::tiny, Device, Format>;

/// Two prompts of the tiny model, as guidance takes them.
struct two_prompts {
    std::vector<float> text, pooled;
    std::vector<std::uint8_t> masks;

    two_prompts() {
        constexpr auto c = tiny_on<gpu_type>::config;
        torch_generator random(3);
        text.resize(to_size(2 * c.num_embeddings * tiny_on<gpu_type>::input::text_width));
        pooled.resize(to_size(2 * c.embedding_proj_dim));
        random.randn(text);
        random.randn(pooled);
        masks.assign(to_size(2 * c.num_embeddings), 1);
        masks.back() = 0;
    }
    std::vector<prior_prompt> get() const {
        std::vector<prior_prompt> prompts;
        for (index_t i = 0; i < 2; ++i) {
            const auto half = [i]<class T>(const std::vector<T>& both) {
                return part(std::span<const T>(both), i * std::ssize(both) / 2, std::ssize(both) / 2);
            };
            prompts.push_back({half(pooled), half(text), half(masks)});
        }
        return prompts;
    }
};

/// A sampling of `samples` images, incrementally or by the full forward.
template <class Model>
std::vector<float> sampled(const Model& model, const schedule& steps, bool incrementally, index_t samples) {
    const two_prompts prompts;
    std::vector<float> latents(to_size(samples * Model::config.embedding_dim)), out(latents.size());
    torch_generator random(7);
    random.randn(latents);
    const auto run = [&](auto denoiser) {
        ASSERT_TRUE(denoiser) << denoiser.error().message;
        const auto done = sample(model, *denoiser, steps, latents, [&](std::span<float> z) { random.randn(z); }, out);
        ASSERT_TRUE(done) << done.error().message;
    };
    if (incrementally)
        run(incremental_denoiser<Model>::make(model, prompts.get(), steps.timesteps(), samples));
    else
        run(forward_denoiser<Model>::make(model, prompts.get(), samples));
    return out;
}

} // namespace model_testing
