// SPDX-License-Identifier: Apache-2.0
// The digits model in a browser: words in, image embeddings and their pictures out, step by step. The model's memory is
// static; its sizes are known before the program runs. Functions that can fail return the error message, or null.
#include "apriori/core/torch_random.hpp"
#include "apriori/io/linked_image.hpp"
#include "apriori/models/in_place_prior.hpp"
#include "apriori/schedulers/unclip.hpp"
#include "models.hpp"
#include "words.hpp"

#include <algorithm>
#include <cmath>

using namespace apriori;

extern "C" {
// apriori_link_file
extern const unsigned char digits_prior[], digits_prior_end[], digits_text_encoder[], digits_text_encoder_end[];
extern const decoder_weights digits_decoder;
}

namespace {

constexpr auto schedule_25 = constexpr_schedule<25>(
    UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});
constexpr float guidance_scale = 4;
constexpr int most_images = 16, most_prompts = 3; // the empty text, and the two ends of a mix
constexpr in_place_limits limits{.prompts = most_prompts};

struct prompt {
    float text_embeds[width], last_hidden_state[tokens * width];
    token_row tokens;
    operator prior_prompt() const { return {text_embeds, last_hidden_state, tokens.mask}; }
};

device_type device;
alignas(buffer_alignment) std::byte prior_memory[in_place_prior<Prior>::bytes(limits)];
alignas(buffer_alignment) std::byte text_memory[TextEncoder::workspace_bytes({})];
char text[1024];
prompt prompts[most_prompts];
torch_generator generator(0);
float latents[most_images * width], noise[most_images * width], predictions[most_images * width];
float embeddings[most_images * width], pictures[most_images * pixels];
int images = 0, next_step = 0;
float mix = 0; // 0: the first prompt, 1: the second

const io::linked_image<Prior>& prior_image() {
    static const io::linked_image<Prior> image(std::span(digits_prior, digits_prior_end));
    return image;
}
const Prior& prior() {
    static const Prior model(device, prior_image().weights());
    return model;
}
in_place_prior<Prior>& sampler() {
    static in_place_prior<Prior> s(prior(), prior_memory, limits);
    return s;
}

status encode(prompt& p) {
    static const io::linked_image<TextEncoder> image(std::span(digits_text_encoder, digits_text_encoder_end));
    if (!image.state()) return image.state();
    static const TextEncoder model(device, image.weights());
    const auto pooled = std::int32_t(clip_pooled_token(p.tokens.ids, TextEncoder::config.eos_token_id));
    const extents<dyn, dyn> shape(1, tokens);
    return model
        .forward({{p.tokens.ids, shape}, {&pooled, extents<dyn>(1)}, {p.tokens.mask, shape}}, p.last_hidden_state,
                 p.text_embeds, text_memory)
        .state;
}

/// The model's prediction for every image: u + g (c - u), where c is between the outputs under the two prompts.
status predict(const step_coefficients& c) {
    const index_t branches = sampler().prompts();
    float answers[most_prompts * width];
    for (int i = 0; i < images; ++i) {
        const std::span<const float> x(latents + i * width, width);
        if (const status s = sampler().step(x, c.timestep, {answers, to_size(branches * width)}); !s) return s;
        for (int j = 0; j < width; ++j) {
            const float u = answers[j], a = answers[width + j];
            const float to = branches == 3 ? a + (answers[2 * width + j] - a) * mix : a;
            predictions[i * width + j] = u + (to - u) * guidance_scale;
        }
    }
    return {};
}

/// The decoder: embeddings [count, 64] to pictures [count, 64].
constexpr auto picture(const float* e, index_t count, const float* w0, const float* b0, const float* w1,
                       const float* b1) {
    constexpr index_t hidden = decoder_weights::hidden;
    const view<const float, extents<dyn, width>> x(e, extents<dyn, width>(count));
    const view<const float, extents<hidden, width>> hidden_weight(w0, {});
    const view<const float, extents<hidden>> hidden_bias(b0, {});
    const view<const float, extents<pixels, hidden>> pixel_weight(w1, {});
    const view<const float, extents<pixels>> pixel_bias(b1, {});
    return sigmoid(linear(gelu(linear(x, hidden_weight, hidden_bias)), pixel_weight, pixel_bias));
}
constexpr auto all_pictures = plan<device_type>(picture(nullptr, most_images, nullptr, nullptr, nullptr, nullptr));
alignas(buffer_alignment) std::byte picture_memory[all_pictures.workspace];

/// Makes embeddings and pictures of the current latents.
status draw() {
    std::copy_n(latents, images * width, embeddings);
    if (const status s = prior().post_process_latents({embeddings, extents<dyn, width>(images)}); !s) return s;
    const decoder_weights& d = digits_decoder;
    return assign(device, std::span(picture_memory),
                  view<float, extents<dyn, pixels>>(pictures, extents<dyn, pixels>(images)),
                  picture(embeddings, images, d.hidden_weight, d.hidden_bias, d.pixel_weight, d.pixel_bias));
}

const char* what(const status& s) { return s ? nullptr : s.what; }

} // namespace

extern "C" {

/// The memory from which set_prompt reads its text, UTF-8 in normalization form C.
[[clang::export_name("text")]] char* text_address() { return text; }
[[clang::export_name("text_bytes")]] int text_bytes() { return int{sizeof text}; }
[[clang::export_name("steps")]] int steps() { return int(schedule_25.steps().size()); }
[[clang::export_name("most_images")]] int image_limit() { return most_images; }
/// [images, 64] each, valid after start and after every step.
[[clang::export_name("embeddings")]] const float* embedding_address() { return embeddings; }
[[clang::export_name("pictures")]] const float* picture_address() { return pictures; }
/// How many tokens of a prompt's text did not fit.
[[clang::export_name("cut")]] int cut(int which) { return prompts[which].tokens.cut; }

/// Encodes the text of `bytes` bytes. Prompt 0 is the empty text; images are drawn between prompts 1 and 2.
[[clang::export_name("set_prompt")]] const char* set_prompt(int which, int bytes) {
    if (which < 0 || which >= most_prompts) return "set_prompt: there are the prompts 0, 1 and 2";
    if (bytes < 0 || bytes > text_bytes()) return "set_prompt: the text is longer than text_bytes()";
    status s = tokenize({text, std::size_t(bytes)}, prompts[which].tokens);
    if (s) s = encode(prompts[which]);
    return what(s);
}

/// Begins `count` images of a seed under prompt 1 (mix 0), prompt 2 (mix 1), or between them.
[[clang::export_name("start")]] const char* start(int count, unsigned seed, float between) {
    if (count < 1 || count > most_images) return "start: count must be 1 to most_images()";
    if (!(between >= 0 && between <= 1)) return "start: the mix must be from 0 to 1";
    if (const status s = prior_image().state(); !s) return s.what;
    images = count;
    next_step = 0;
    mix = between;
    generator.manual_seed(seed);
    generator.randn({latents, to_size(images * width)});
    const prior_prompt used[] = {prompts[0], prompts[mix == 1 ? 2 : 1], prompts[2]};
    const status s = sampler().prefix({used, mix == 0 || mix == 1 ? 2U : 3U});
    return what(s ? draw() : s);
}

/// Makes the next step of all images.
[[clang::export_name("step")]] const char* step() {
    if (images == 0 || next_step == steps()) return "step: there is no step to take; start comes first";
    const step_coefficients& c = schedule_25.steps()[to_size(next_step)];
    status s = predict(c);
    if (!s) return s.what;
    const auto all = [](float* p) { return std::span(p, to_size(images * width)); };
    if (c.draws_noise) generator.randn(all(noise));
    s = apply_step(c, {all(predictions), all(latents), all(noise), all(latents)}, width);
    ++next_step;
    return what(s ? draw() : s);
}
}
