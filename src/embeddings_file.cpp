// SPDX-License-Identifier: Apache-2.0
#include "embeddings_file.hpp"

#include "apriori/core/content_hash.hpp"
#include "apriori/core/version.hpp"
#include "apriori/io/npy.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "host_tensor.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace apriori::program {

namespace {

bool is_npy(const std::filesystem::path& path) { return path.extension() == ".npy"; }

std::string json_text(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

result<io::npy_array> read_image_embeds(const std::filesystem::path& path) {
    if (is_npy(path)) return io::read_npy(path);
    const auto file = io::safetensors_source::open(path);
    if (!file) return file.error();
    const auto at = file->find("image_embeds");
    if (!at) return failure{errc::not_found, path.string() + ": holds no tensor image_embeds"};
    const tensor_info info = file->info(*at);
    io::npy_array out;
    out.shape.assign(info.dims.begin(), info.dims.begin() + info.rank);
    out.values.resize(static_cast<std::size_t>(info.size()));
    if (const status s = file->read(*at, 0, out.values); !s.ok()) return to_failure(s);
    return out;
}

} // namespace

std::string prompts_text(std::span<const std::string> prompts) {
    // one by one: the JSON library's arrays allocate in their destructor, and end the program if there is no memory
    std::string text;
    for (const std::string& prompt : prompts) text += (text.empty() ? "[" : ",") + json_text(prompt);
    return text.empty() ? "[]" : text + "]";
}

std::string hash_text(std::uint64_t hash) { return fmt::format("{:016x}", hash); }
std::string hash_text(std::span<const float> values) { return hash_text(content_hash(std::as_bytes(values))); }

run_settings settings_of(const pipeline_options& options, const pipeline_parts& parts,
                         std::span<const std::string> prompts) {
    run_settings settings{{"prompts", prompts_text(prompts)},
                          {"samples", std::to_string(options.samples)},
                          {"steps", std::to_string(options.steps)},
                          {"guidance", fmt::format("{}", options.guidance)},
                          {"seed", std::to_string(options.seed)},
                          {"scheduler", class_name(parts.scheduler)},
                          {"device", options.on.device},
                          {"arch", parts.arch},
                          {"weights", parts.weights},
                          {"weights_hash", hash_text(parts.prior->weights_hash())},
                          {"model", parts.model_name}};
    if (parts.words) settings.emplace_back("text_encoder_hash", hash_text(parts.words->text_model->weights_hash()));
    if (options.seed_drawn) settings.emplace_back("seed_drawn", "true");
    if (options.negative) settings.emplace_back("negative_prompt", json_text(*options.negative));
    if (!parts.loras.empty()) settings.emplace_back("loras", parts.loras);
    if (options.mask_text_encoder) settings.emplace_back("mask_text_encoder", "true");
    settings.emplace_back("apriori", version::string);
    return settings;
}

result<void> write_embeddings(const std::filesystem::path& path, const made_embeddings& made,
                              const run_settings& settings) {
    if (is_npy(path)) return io::write_npy(path, made.rows(), made.width, made.image_embeds);
    io::safetensors_writer out;
    if (auto r = out.add("image_embeds", {made.rows(), made.width}, made.image_embeds); !r) return r;
    if (const auto& negative = made.negative_image_embeds; !negative.empty())
        if (auto r = out.add("negative_image_embeds", {static_cast<index_t>(negative.size()) / made.width, made.width},
                             negative);
            !r)
            return r;
    for (const auto& [key, value] : settings)
        if (auto r = out.metadata(key, value); !r) return r;
    return out.write(path);
}

result<std::vector<float>> read_embeddings(const std::filesystem::path& path, index_t width) {
    auto read = read_image_embeds(path);
    if (!read) return read.error();
    const auto& shape = read->shape;
    if (shape.empty() || shape.size() > 2 || shape.back() != width || shape.front() == 0)
        return failure{errc::shape_mismatch,
                       fmt::format("{}: the image embedding is {}; the model takes [{}] or [rows, {}]", path.string(),
                                   shape_text(shape), width, width)};
    for (std::size_t i = 0; i < read->values.size(); ++i)
        if (!std::isfinite(read->values[i]))
            return failure{errc::invalid_argument,
                           fmt::format("{}: the image embedding{} is {}; it must be a finite number", path.string(),
                                       place_text(shape, i), read->values[i])};
    return std::move(read->values);
}

} // namespace apriori::program
