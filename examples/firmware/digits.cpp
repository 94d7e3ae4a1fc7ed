// SPDX-License-Identifier: Apache-2.0
// A digit, sampled on a microcontroller: weights and prompts are in flash, all memory is one array, and nothing is
// allocated.
#include "apriori/core/torch_random.hpp"
#include "apriori/io/linked_image.hpp"
#include "apriori/pipelines/in_place_sampler.hpp"
#include "apriori/schedulers/unclip.hpp"
#include "assets.hpp"
#include "board.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

using namespace apriori;

extern "C" {
extern const unsigned char digits_prior[], digits_prior_end[]; // apriori_link_file
extern const assets digits_assets;
}

namespace {

constexpr auto schedule_25 = constexpr_schedule<25>(
    UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});

// All memory of the sampling, known before the program runs, for the number of prompt rows that host/assets.cpp
// counted.
constexpr in_place_limits memory_limits{.prompts = branches, .prompt_rows = DIGITS_PROMPT_ROWS, .rows = 3};
constexpr std::size_t memory_bytes = sampler_bytes<Model>(memory_limits);
static_assert(memory_bytes <= 74 * 1024);
alignas(buffer_alignment) std::byte memory[memory_bytes];

torch_generator generator(0);
float latents[assets::width], embedding[assets::width], pixels[assets::pixels];

status sample_digit() {
    device_type device;
    const io::linked_image<Model> image(std::span(digits_prior, digits_prior_end));
    if (!image.state()) return image.state();
    const Model model(device, image.weights());
    prior_prompt prompts[branches];
    std::ranges::transform(digits_assets.prompts, prompts, [](const assets::prompt& p) {
        return prior_prompt{p.text_embeds, p.last_hidden_state, p.attention_mask};
    });
    in_place_sampler<Model> sampler(model, memory, memory_limits);
    if (const status s = sampler.prefix(prompts); !s) return s;
    generator.randn(latents);
    const auto noise = [](std::span<float> z) { generator.randn(z); };
    return sampler.sample(schedule_25, latents, noise, embedding, guidance_scale);
}

/// Draws the decoder's picture of the embedding into `pixels`.
status draw() {
    device_type device;
    const auto matrix = [](const std::byte* p, index_t n, index_t k) {
        return packed_matrix_type(const_cast<std::byte*>(p), n, k);
    };
    const weight<packed_matrix_type, assets::hidden, assets::width> w0{
        matrix(digits_assets.hidden_weight, assets::hidden, assets::width)};
    const weight<packed_matrix_type, assets::pixels, assets::hidden> w1{
        matrix(digits_assets.pixel_weight, assets::pixels, assets::hidden)};
    const view<const float, extents<assets::hidden>> b0(digits_assets.hidden_bias, {});
    const view<const float, extents<assets::pixels>> b1(digits_assets.pixel_bias, {});
    const view<const float, extents<1, assets::width>> e(embedding, {});
    const view<float, extents<1, assets::pixels>> to_pixels(pixels, {});
    return assign(device, std::span(memory), to_pixels, sigmoid(linear(gelu(linear(e, w0, b0)), w1, b1)));
}

/// The digit whose mean embedding has the direction closest to that of the embedding.
int nearest_digit() {
    float cosines[10];
    for (int k = 0; k < 10; ++k) {
        const float* mean = digits_assets.digit_centroids[k];
        float dot = 0, squares = 0;
        for (int i = 0; i < assets::width; ++i) {
            dot += embedding[i] * mean[i];
            squares += mean[i] * mean[i];
        }
        cosines[k] = dot / std::sqrt(squares);
    }
    return int(std::max_element(cosines, cosines + 10) - cosines);
}

} // namespace

int main() {
    const std::uint64_t begin = board::ticks();
    status s = sample_digit();
    const std::uint64_t end = board::ticks();
    if (s) s = draw();
    if (!s) {
        board::print("firmware: ");
        board::print(s.what);
        board::print("\n");
        return 1;
    }
    for (int i = 0; i < assets::pixels; ++i) {
        const char ink = " .:-=+*#%@"[int(pixels[i] * 9.99f)];
        const char text[] = {ink, ink, i % 8 == 7 ? '\n' : '\0', '\0'};
        board::print(text);
    }
    const auto say = [](const char* what, std::uint32_t number) {
        board::print(what);
        board::print(number);
        board::print("\n");
    };
    say("nearest to the mean embedding of: ", std::uint32_t(nearest_digit()));
    say("ticks: ", std::uint32_t(end - begin));
    say("sampler bytes: ", sizeof memory);
    say("stack bytes: ", std::uint32_t(board::deepest_stack()));
    board::print("embedding:");
    for (const float x : embedding) { // its bits
        board::print(" ");
        board::print(std::bit_cast<std::uint32_t>(x));
    }
    board::print("\n");
    return 0;
}
