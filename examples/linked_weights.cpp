// SPDX-License-Identifier: Apache-2.0
// A program that contains its model: the weights, the conditions and the decoder of examples/digits are linked in
// (examples/CMakeLists.txt), and a digit is sampled without opening a file.
//
//     example_linked_weights [text [seed]]
#include "digits.hpp"

#include "apriori/core/torch_random.hpp"
#include "apriori/io/linked_source.hpp"
#include "apriori/pipelines/incremental_denoiser.hpp"
#include "apriori/pipelines/sampler.hpp"
#include "apriori/schedulers/unclip.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>

using namespace apriori;

// The bytes of three safetensors files, between symbols of the program's read-only section.
extern "C" {
extern const unsigned char digits_prior[], digits_prior_end[];
extern const unsigned char digits_conditions[], digits_conditions_end[];
extern const unsigned char digits_decoder[], digits_decoder_end[];
}

// Known before the program runs: the steps of the schedule, and all memory that the model needs.
using Model = PriorTransformer<presets::digits, cpu<>>;
constexpr auto schedule_25 = constexpr_schedule<25>(
    UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});
static_assert(schedule_25.timesteps()[0] == 999.0f);

result<std::vector<float>> sample_linked(const std::string& text, std::uint64_t seed) {
    const auto prior = io::linked_source(std::span(digits_prior, digits_prior_end), "the linked prior");
    const auto conditions = io::linked_source(std::span(digits_conditions, digits_conditions_end), "linked conditions");
    for (const auto* source : {&prior, &conditions})
        if (!*source) return source->error();

    cpu<> device;
    const auto model = Model::load(device, *prior);
    if (!model) return model.error();
    const auto without = io::read_prompt(*conditions, "unconditional"), with = io::read_prompt(*conditions, text);
    if (!without) return without.error();
    if (!with) return with.error();
    const std::vector<prior_prompt> prompts{*without, *with};
    auto denoiser = incremental_denoiser<Model>::make(*model, prompts, schedule_25.timesteps(), 1);
    if (!denoiser) return denoiser.error();

    torch_generator generator(seed);
    std::vector<float> latents(Model::config.embedding_dim), embedding(latents.size());
    generator.randn(latents);
    const auto noise = [&](std::span<float> z) { generator.randn(z); };
    if (const auto done = sample(*model, *denoiser, schedule_25, latents, noise, embedding); !done) return done.error();
    return embedding;
}

int main(int argc, char** argv) {
    const std::string text = argc > 1 ? argv[1] : "a handwritten three";
    const auto fail = [](const failure& f) {
        std::fprintf(stderr, "linked_weights: %s\n", f.message.c_str());
        return 2;
    };
    std::uint64_t seed = 0;
    if (argc > 2) {
        const std::string_view number = argv[2];
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seed);
        if (error != std::errc() || end != number.data() + number.size())
            return fail({errc::invalid_argument, "seed '", number, "' is not allowed; allowed: 0 to 2^64 - 1"});
    }
    const auto embedding = sample_linked(text, seed);
    if (!embedding) return fail(embedding.error());
    const auto decoder = io::linked_source(std::span(digits_decoder, digits_decoder_end), "the linked decoder");
    if (!decoder) return fail(decoder.error());
    const auto seen = picture(*decoder, *embedding);
    if (!seen) return fail(seen.error());
    const auto digit = nearest_digit(*decoder, *embedding);
    if (!digit) return fail(digit.error());
    std::printf("%s\nnearest to the mean embedding of: %d\n", seen->c_str(), *digit);
    return named_digit(text) < 0 || named_digit(text) == *digit ? 0 : 1;
}
