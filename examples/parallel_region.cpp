// SPDX-License-Identifier: Apache-2.0
// Two models in one process, used by the threads of the caller's own parallel region: each thread samples another
// digit. The numbers are those of a sampling outside of the region, which uses all threads.
//
//     example_parallel_region [pipeline folder]
#include "apriori/apriori.hpp"
#include "apriori/core/philox_rows.hpp"
#include "apriori/device/cpu/executors/openmp.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/pipelines/sample_prompts.hpp"

#include <cstdio>

using namespace apriori;
using device_type = cpu<default_arch, openmp_executor>;

constexpr auto steps = constexpr_schedule<10>(
    UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});

/// An embedding of prompt `number`, from the random stream of that number; empty on failure.
template <class Model>
std::vector<float> embedding(const Model& model, const io::stored_prompt& text, int number) {
    const prior_prompt prompts[] = {text};
    philox_rows random(7, std::uint64_t(number), 1);
    std::vector<float> latents(Model::config.embedding_dim);
    random.randn(latents);
    const auto made = sample_prompts(model, steps, std::span<const prior_prompt>(prompts), 1, 1, latents, random,
                                     {.guidance_scale = 1});
    return made ? *made : std::vector<float>();
}

int main(int argc, char** argv) {
    const std::filesystem::path folder = argc > 1 ? argv[1] : "examples/digits/digits-unclip";
    openmp_executor threads; // one thread inside a region: OpenMP does not nest by default
    device_type device(threads);
    const auto exact = load<PriorTransformer<presets::digits, device_type>>(device, folder / "prior");
    const auto narrow = load<PriorTransformer<presets::digits, device_type, bf16>>(device, folder / "prior");
    const auto file = io::open_weights(folder / "conditions.safetensors");
    for (const failure* f :
         {exact ? nullptr : &exact.error(), narrow ? nullptr : &narrow.error(), file ? nullptr : &file.error()})
        if (f != nullptr) return report(*f);
    std::vector<io::stored_prompt> texts;
    for (const char* digit : {"a handwritten one", "a handwritten two", "a handwritten three", "a handwritten four"}) {
        auto text = io::read_prompt(*file, digit);
        if (!text) return report(text.error());
        texts.push_back(std::move(*text));
    }

    const int count = int(texts.size());
    std::vector<std::vector<float>> made(texts.size() * 2);
#pragma omp parallel for
    for (int i = 0; i < count; ++i) {
        at(made, 2 * i) = embedding(*exact, at(texts, i), i);
        at(made, 2 * i + 1) = embedding(*narrow, at(texts, i), i);
    }
    bool same = true;
    for (int i = 0; i < count; ++i)
        same = same && !at(made, 2 * i).empty() && at(made, 2 * i) == embedding(*exact, at(texts, i), i) &&
               at(made, 2 * i + 1) == embedding(*narrow, at(texts, i), i) && at(made, 2 * i) != at(made, 2 * i + 1);
    std::printf("%d digits by two models: %s\n", count, same ? "the same as alone" : "NOT the same as alone");
    return same ? 0 : 1;
}
