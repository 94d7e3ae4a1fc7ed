// SPDX-License-Identifier: Apache-2.0
#include "pipeline_parts.hpp"

#include "apriori/io/clip_tokenizer_files.hpp"
#include "apriori/io/config_json.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "apriori/loading/model.hpp"
#include "apriori/text/unicode.hpp"
#include "lora_option.hpp"
#include "model_weights.hpp"
#include "output_file.hpp"

#include <fmt/format.h>

namespace apriori::program {

namespace {

/// An encoder of a folder.
template <class Encoder, class Config>
result<std::unique_ptr<Encoder>> load_encoder(const catalogue& models, const Config& config, const device_options& on,
                                              const std::filesystem::path& folder) {
    const auto entry = models.find(config, on, folder / "config.json");
    if (!entry) return entry.error();
    const auto weights = io::open_weights(folder);
    if (!weights) return weights.error();
    auto model = (*entry)->load(any_source(*weights), on.threads);
    if (!model) return failure{model.error().code, folder.string() + ": " + model.error().message};
    return model;
}

failure width_failure(const std::filesystem::path& file, const char* field, index_t has, const char* of,
                      index_t needs) {
    return {errc::shape_mismatch,
            fmt::format("{}: {} is {}; the prior's {} is {}", file.string(), field, has, of, needs)};
}

} // namespace

result<pipeline_parts> open_pipeline(const pipeline_options& options) {
    if (auto known = catalogue::open(options.on); !known) return known.error();
    const auto folder = pipeline_folder::open(options.model);
    if (!folder) return folder.error();
    pipeline_parts parts;
    parts.model_name = unicode::valid_text(folder->name());
    parts.sum_samples = folder->is_kandinsky_2_1();
    const auto config = io::load_config<PriorConfig>(folder->prior());
    if (!config) return config.error();
    parts.config = canonical(*config);
    const auto scheduler = io::load_scheduler_config(folder->scheduler(), options.scheduler);
    if (!scheduler) return scheduler.error();
    parts.scheduler = *scheduler;
    if (const status s = plan_schedule(parts.scheduler, {.num_inference_steps = options.steps}, parts.steps); !s.ok())
        return failure{s.code, fmt::format("--steps {}: {}: {}", options.steps, class_name(parts.scheduler),
                                           to_failure(s).message)};
    if (decoder::recognises(folder->decoder()) && parts.config.clip_embed_dim == decoder::embedding_dim) {
        auto d = decoder::open(folder->decoder());
        if (!d) return d.error();
        parts.pictures.emplace(std::move(*d));
    }
    if (!options.png.empty() && !parts.pictures)
        return failure{errc::unsupported, options.model.string() + ": --png needs a decoder/ that makes pictures, as "
                                                                   "examples/digits has one; leave --png away"};
    return parts;
}

result<void> open_words(const pipeline_options& options, pipeline_parts& parts) {
    const PriorConfig& config = parts.config;
    const auto models = catalogue::open(options.on);
    if (!models) return models.error();
    const pipeline_folder files{options.model};
    for (const auto& part : {files.tokenizer(), files.text_encoder()})
        if (!is_folder(part))
            return failure{errc::not_found, fmt::format("{}: holds no folder {}, which words need; without it give "
                                                        "--conditions",
                                                        options.model.string(), part.filename().string())};
    auto tokenizer = io::load_clip_tokenizer(files.tokenizer());
    if (!tokenizer) return tokenizer.error();
    const auto folder = files.text_encoder();
    const auto text = io::load_config<CLIPTextConfig>(folder);
    if (!text) return text.error();
    if (text->hidden_size != config.embedding_dim)
        return width_failure(folder / "config.json", "hidden_size", text->hidden_size, "embedding_dim",
                             config.embedding_dim);
    if (text->output_dim() != config.embedding_proj_dim)
        return width_failure(folder / "config.json", "projection_dim", text->output_dim(), "embedding_proj_dim",
                             config.embedding_proj_dim);
    if (tokenizer->model_max_length() != config.num_embeddings)
        return width_failure(files.tokenizer(), "model_max_length", tokenizer->model_max_length(), "num_embeddings",
                             config.num_embeddings);
    auto text_model = load_encoder<any_text_encoder>(*models, *text, options.on, folder);
    if (!text_model) return text_model.error();
    if (auto r = apriori::detail::check_vocabulary(folder, (*text_model)->vocab_size()); !r) return r;
    const any_text_encoder* encoder = text_model->get();
    word_parts& words = parts.words.emplace(word_parts{
        std::move(*tokenizer), {text->hidden_size, text->output_dim(), encoder}, std::move(*text_model), {}, {}});

    const auto images = files.image_encoder();
    if (!is_folder(images)) return {};
    const auto vision = io::load_config<CLIPVisionConfig>(images);
    if (!vision) return vision.error();
    if (vision->output_dim() != config.embedding_dim)
        return width_failure(images / "config.json", "projection_dim", vision->output_dim(), "embedding_dim",
                             config.embedding_dim);
    auto image_model = load_encoder<any_image_encoder>(*models, *vision, options.on, images);
    if (!image_model) return image_model.error();
    words.image_model = std::move(*image_model);
    words.image = {*vision, words.image_model.get()};
    return {};
}

result<void> load_prior(const pipeline_options& options, std::vector<std::filesystem::path> inputs,
                        pipeline_parts& parts) {
    for (const auto& file : inputs_of(options.model)) inputs.push_back(file);
    device_options on = options.on;
    const std::filesystem::path folder = pipeline_folder{options.model}.prior();
    const auto packed = open_packed(options.packed, on);
    if (!packed) return packed.error();
    const auto loras = open_loras(options.loras, options.packed);
    if (!loras) return loras.error();
    const auto models = catalogue::open(on);
    if (!models) return models.error();
    const auto entry = models->find(parts.config, on, folder / "config.json");
    if (!entry) return entry.error();
    parts.weights = (*entry)->weights;
    parts.arch = models->arch_of(on.device);
    const std::vector<output_file> outputs{{"--out", options.batch.empty() ? options.out : std::filesystem::path()},
                                           {"--png", options.png}};
    if (*packed) {
        inputs.push_back(options.packed);
        if (auto r = check_outputs(outputs, inputs); !r) return r.error();
        auto model = attach(**entry, **packed, on.threads);
        if (!model) return model.error();
        parts.prior = std::move(*model);
        return {};
    }
    const auto weights = io::open_weights(folder);
    if (!weights) return weights.error();
    for (const auto& file : weights->files()) inputs.push_back(file);
    for (const auto& lora : *loras) inputs.push_back(lora.file.path());
    if (!loras->empty()) parts.loras = describe(*loras);
    if (auto r = check_outputs(outputs, inputs); !r) return r.error();
    auto model = load_merged(**entry, *weights, *loras, on.threads);
    if (!model) return failure{model.error().code, folder.string() + ": " + model.error().message};
    parts.prior = std::move(*model);
    return {};
}

} // namespace apriori::program
