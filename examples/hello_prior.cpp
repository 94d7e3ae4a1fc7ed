// SPDX-License-Identifier: Apache-2.0
// Samples one image embedding for a text with the miniature model in examples/digits, from its files and on one thread,
// and prints it with its picture.
//
//     example_hello_prior [pipeline folder] [text]
#include "digits.hpp"

#include "apriori/core/torch_random.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/pipelines/incremental_denoiser.hpp"
#include "apriori/pipelines/sampler.hpp"
#include "apriori/schedulers/unclip.hpp"

#include <cstdio>

using namespace apriori;

result<std::vector<float>> sample_one(const std::string& folder, const std::string& text) {
    using Model = PriorTransformer<presets::digits, cpu<>>;
    cpu<> device;
    const auto weights = io::open_weights(folder + "/prior");
    if (!weights) return weights.error();
    const auto model = Model::load(device, *weights);
    if (!model) return model.error();

    const auto file = io::open_weights(folder + "/conditions.safetensors");
    if (!file) return file.error();
    const auto without = io::read_prompt(*file, "unconditional"), with = io::read_prompt(*file, text);
    if (!without) return without.error();
    if (!with) return with.error();
    const std::vector<prior_prompt> prompts{*without, *with};

    UnCLIPScheduler scheduler({.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});
    if (const status s = scheduler.set_timesteps(25); !s.ok()) return to_failure(s);
    auto denoiser = incremental_denoiser<Model>::make(*model, prompts, scheduler.timesteps(), 1);
    if (!denoiser) return denoiser.error();
    torch_generator generator(0);
    std::vector<float> latents(Model::config.embedding_dim), embedding(latents.size());
    generator.randn(latents);
    const auto noise = [&](std::span<float> z) { generator.randn(z); };
    if (const auto done = sample(*model, *denoiser, scheduler, latents, noise, embedding); !done) return done.error();
    return embedding;
}

int main(int argc, char** argv) {
    const std::string folder = argc > 1 ? argv[1] : "examples/digits/digits-unclip";
    const std::string text = argc > 2 ? argv[2] : "a handwritten seven";
    const auto fail = [](const failure& f) {
        std::fprintf(stderr, "hello_prior: %s\n", f.message.c_str());
        return 2;
    };
    const auto embedding = sample_one(folder, text);
    if (!embedding) return fail(embedding.error());
    for (std::size_t i = 0; i < embedding->size(); ++i)
        std::printf("%8.4f%s", static_cast<double>((*embedding)[i]), i % 8 == 7 ? "\n" : " ");

    const auto decoder = io::open_weights(folder + "/decoder");
    if (!decoder) return fail(decoder.error());
    const auto seen = picture(*decoder, *embedding);
    if (!seen) return fail(seen.error());
    const auto digit = nearest_digit(*decoder, *embedding);
    if (!digit) return fail(digit.error());
    std::printf("\n%s\nnearest to the mean embedding of: %d\n", seen->c_str(), *digit);
    return named_digit(text) < 0 || named_digit(text) == *digit ? 0 : 1;
}
