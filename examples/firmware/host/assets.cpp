// SPDX-License-Identifier: Apache-2.0
// Writes the files that the firmware links: the prior's weights, packed for its core, and the prompts and the decoder
// of assets.hpp. Also writes the embedding that this machine samples from them, for comparison.
//
//     assets MODEL_FOLDER TEXT OUT_FOLDER
#include "../assets.hpp"

#include "apriori/core/report.hpp"
#include "apriori/core/torch_random.hpp"
#include "apriori/io/packed_file.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/pipelines/incremental_denoiser.hpp"
#include "apriori/pipelines/sampler.hpp"
#include "apriori/schedulers/unclip.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace apriori;

namespace {

/// Reads a tensor into an array of the same size.
template <std::size_t N>
result<void> fill(float (&to)[N], const auto& source, const char* name) {
    const auto values = io::read_tensor(source, name);
    if (!values) return values.error();
    if (values->size() != N) return failure(errc::shape_mismatch, name, " has another size than the firmware's");
    std::copy(values->begin(), values->end(), to);
    return {};
}
template <std::size_t N>
result<void> pack(std::byte (&to)[N], const auto& source, const char* name, index_t n, index_t k) {
    const auto values = io::read_tensor(source, name);
    if (!values) return values.error();
    if (std::ssize(*values) != n * k)
        return failure(errc::shape_mismatch, name, " has another size than the firmware's");
    device_type device;
    return device.pack(packed_matrix_type(to, n, k), 0, std::span<const float>(*values));
}
template <std::size_t N, class T>
void copy(T (&to)[N], std::span<const T> from) {
    std::copy_n(from.begin(), (std::min)(N, from.size()), to);
}

result<void> fill_assets(assets& a, const std::filesystem::path& folder, std::span<const prior_prompt> prompts) {
    const auto decoder = io::open_weights(folder / "decoder");
    if (!decoder) return decoder.error();
    if (auto r = pack(a.hidden_weight, *decoder, "0.weight", assets::hidden, assets::width); !r) return r;
    if (auto r = pack(a.pixel_weight, *decoder, "2.weight", assets::pixels, assets::hidden); !r) return r;
    if (auto r = fill(a.hidden_bias, *decoder, "0.bias"); !r) return r;
    if (auto r = fill(a.pixel_bias, *decoder, "2.bias"); !r) return r;
    const auto means = io::read_tensor(*decoder, "digit_centroids");
    if (!means) return means.error();
    std::copy_n(means->begin(), 10 * assets::width, a.digit_centroids[0]);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
        copy(a.prompts[i].text_embeds, prompts[i].text_embeds);
        copy(a.prompts[i].last_hidden_state, prompts[i].last_hidden_state);
        copy(a.prompts[i].attention_mask, prompts[i].attention_mask);
    }
    return {};
}

/// The firmware's sampling, with this machine's sampler.
result<std::vector<float>> sample_here(const Model& model, const std::vector<prior_prompt>& prompts) {
    constexpr auto schedule_25 = constexpr_schedule<25>(
        UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});
    auto denoiser = incremental_denoiser<Model>::make(model, prompts, schedule_25.timesteps(), 1);
    if (!denoiser) return denoiser.error();
    torch_generator generator(0);
    std::vector<float> latents(assets::width), embedding(assets::width);
    generator.randn(latents);
    const auto noise = [&](std::span<float> z) { generator.randn(z); };
    if (auto r = sample(model, *denoiser, schedule_25, latents, noise, embedding, {.guidance_scale = guidance_scale});
        !r)
        return r.error();
    return embedding;
}

result<void> write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    auto file = io::atomic_file::create(path);
    if (!file) return file.error();
    if (auto r = file->write(bytes); !r) return r;
    return file->commit();
}

result<void> run(const std::filesystem::path& folder, const std::string& text, const std::filesystem::path& out) {
    const auto weights = io::open_weights(folder / "prior");
    if (!weights) return weights.error();
    device_type device;
    const auto model = Model::load(device, *weights);
    if (!model) return model.error();
    if (auto r = io::write_packed_file(*model, out / "prior.apriori"); !r) return r;

    const auto conditions = io::open_weights(folder / "conditions.safetensors");
    if (!conditions) return conditions.error();
    const auto without = io::read_prompt(*conditions, "unconditional"), with = io::read_prompt(*conditions, text);
    if (!without) return without.error();
    if (!with) return with.error();
    std::vector<prior_prompt> prompts{*with};
    if (branches == 2) prompts.insert(prompts.begin(), *without);
    const auto a = std::make_unique<assets>();
    if (auto r = fill_assets(*a, folder, prompts); !r) return r;
    if (auto r = write(out / "assets.bin", std::as_bytes(std::span(a.get(), 1))); !r) return r;

    index_t rows = 0; // of in_place_limits
    for (const prior_prompt& p : prompts)
        rows += 1 + std::ranges::count_if(p.attention_mask, [](auto m) { return m != 0; });
    const std::string count = std::to_string(rows) + "\n";
    if (auto r = write(out / "prompt_rows.txt", std::as_bytes(std::span(count))); !r) return r;

    const auto embedding = sample_here(*model, prompts);
    if (!embedding) return embedding.error();
    std::string line = "embedding:";
    for (const float x : *embedding) line += " " + std::to_string(std::bit_cast<std::uint32_t>(x));
    return write(out / "embedding.txt", std::as_bytes(std::span(line += "\n")));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: assets MODEL_FOLDER TEXT OUT_FOLDER\n");
        return 2;
    }
    const auto done = run(argv[1], argv[2], argv[3]);
    return done ? 0 : report(done.error());
}
