// SPDX-License-Identifier: Apache-2.0
#include "output_file.hpp"

#include "apriori/io/atomic_file.hpp"
#include "model_folder.hpp"

namespace apriori::program {

namespace {

bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
    std::error_code error;
    if (std::filesystem::equivalent(a, b, error) && !error) return true;
    const auto whole = [&error](const std::filesystem::path& p) {
        return std::filesystem::weakly_canonical(std::filesystem::absolute(p, error), error);
    };
    return whole(a) == whole(b);
}

/// Whether a file of this name in a folder of a model is one of the model's.
bool is_of_model(const std::string& name) {
    const bool weights = name.starts_with("model") || name.starts_with("diffusion_pytorch_model");
    return name.ends_with(".json") || name.ends_with(".txt") || (weights && name.ends_with(".safetensors"));
}

bool replaces(const std::filesystem::path& out, const std::filesystem::path& input) {
    if (same_file(out, input)) return true;
    std::error_code error;
    return is_there(out) && is_folder(input) && is_of_model(out.filename().string()) &&
           same_file(std::filesystem::absolute(out, error).parent_path(), input);
}

} // namespace

std::vector<std::filesystem::path> inputs_of(const std::filesystem::path& model) {
    const pipeline_folder folder{model};
    return {model / "model_index.json", folder.prior(),         folder.scheduler(), folder.tokenizer(),
            folder.text_encoder(),      folder.image_encoder(), folder.decoder()};
}

result<void> check_outputs(const std::vector<output_file>& outputs, const std::vector<std::filesystem::path>& inputs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const output_file& out = outputs[i];
        if (out.path.empty()) continue;
        for (std::size_t k = 0; k < i; ++k)
            if (!outputs[k].path.empty() && same_file(out.path, outputs[k].path))
                return failure{errc::invalid_argument, io::cat(outputs[k].option, " and ", out.option,
                                                               " are the same file, ", out.path.string())};
        for (const auto& input : inputs)
            if (replaces(out.path, input))
                return failure{errc::invalid_argument, io::cat(out.option, " ", out.path.string(),
                                                               " is also read; an output must not replace an input")};
        // Created and removed again.
        if (auto file = io::atomic_file::create(out.path); !file)
            return failure{file.error().code, io::cat(out.option, " ", file.error().message)};
    }
    return {};
}

} // namespace apriori::program
