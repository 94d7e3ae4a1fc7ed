// SPDX-License-Identifier: Apache-2.0
// One forward of the digits model, in the smallest program for it.
#include "apriori/io/linked_image.hpp"
#include "assets.hpp"
#include "board.hpp"

using namespace apriori;

extern "C" {
extern const unsigned char digits_prior[], digits_prior_end[]; // apriori_link_file
extern const assets digits_assets;
}

namespace {

constexpr std::size_t memory_bytes = Model::workspace_bytes({});
alignas(buffer_alignment) std::byte memory[memory_bytes];
float latents[assets::width], answer[assets::width];

status predict() {
    device_type device;
    const io::linked_image<Model> image(std::span(digits_prior, digits_prior_end));
    if (!image.state()) return image.state();
    const Model model(device, image.weights());
    const assets::prompt& p = digits_assets.prompts[branches - 1];
    const float timestep = 500;
    for (float& x : latents) x = 0.5f;
    Model::input in;
    in.hidden_states = {latents, 1, 1};
    in.timestep = {&timestep, extents<dyn>(1)};
    in.proj_embedding = {p.text_embeds, 1, 1};
    in.encoder_hidden_states = {p.last_hidden_state, 1, assets::tokens};
    in.attention_mask = {p.attention_mask, extents<dyn, dyn>(1, assets::tokens)};
    return model.forward(in, answer, memory).state;
}

} // namespace

int main() {
    const std::uint64_t begin = board::ticks();
    const status s = predict();
    const std::uint64_t end = board::ticks();
    if (!s) {
        board::print(s.what);
        return 1;
    }
    board::print("ticks: ");
    board::print(std::uint32_t(end - begin));
    board::print("\nworkspace bytes: ");
    board::print(sizeof memory);
    board::print("\nstack bytes: ");
    board::print(std::uint32_t(board::deepest_stack()));
    board::print("\n");
    return 0;
}
