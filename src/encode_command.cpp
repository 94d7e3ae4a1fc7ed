// SPDX-License-Identifier: Apache-2.0
// apriori encode: what the text encoder gives, as a file of conditions that `sample --conditions` reads.
#include "apriori/io/safetensors_writer.hpp"
#include "commands.hpp"
#include "conditions.hpp"
#include "output_file.hpp"
#include "pipeline_parts.hpp"
#include "run_report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace apriori::program {

result<exit_code> run_encode(const encode_options& options) {
    if (auto r = check_outputs({{"--out", options.out}}, {}); !r) return r.error();
    std::vector<std::string> names{std::string(conditions_file::unconditional)}, texts{""};
    for (const std::string& text : options.texts) {
        if (text.empty() || text == conditions_file::unconditional)
            return failure{errc::invalid_argument,
                           fmt::format("a text is {}; the empty text is written in any case, as {}", io::quote(text),
                                       conditions_file::unconditional)};
        if (std::find(names.begin(), names.end(), text) != names.end()) continue; // said twice
        names.push_back(text);
        texts.push_back(text);
    }
    pipeline_options folder;
    folder.on = options.on;
    folder.model = options.model;
    const auto parts = open_pipeline(folder);
    if (!parts) return parts.error();
    const auto words = open_words(folder, parts->config);
    if (!words) return words.error();
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    const auto encoded = encode_texts(words->tokenizer, words->text, views, {options.mask_text_encoder});
    if (!encoded) return encoded.error();
    report_cut(names, encoded->cut, words->tokenizer.model_max_length());

    io::safetensors_writer out; // refers to what is added
    const std::vector<float> masks(encoded->attention_mask.begin(), encoded->attention_mask.end());
    for (std::size_t t = 0; t < names.size(); ++t) {
        const prior_prompt p = (*encoded)[static_cast<index_t>(t)];
        const auto mask = std::span(masks).subspan(t * p.attention_mask.size(), p.attention_mask.size());
        const auto tokens = static_cast<index_t>(mask.size());
        if (auto r = out.add(names[t] + ".text_embeds", {words->text.embedding}, p.text_embeds); !r) return r.error();
        if (auto r = out.add(names[t] + ".last_hidden_state", {tokens, words->text.width}, p.last_hidden_state); !r)
            return r.error();
        if (auto r = out.add(names[t] + ".attention_mask", {tokens}, mask); !r) return r.error();
    }
    if (auto r = out.metadata("model", parts->model_name); !r) return r.error();
    if (auto r = out.metadata("mask_text_encoder", options.mask_text_encoder ? "true" : "false"); !r) return r.error();
    if (auto r = out.write(options.out); !r) return r.error();
    fmt::print("{}, and the empty one: {}\n", counted(static_cast<std::int64_t>(texts.size()) - 1, "text"),
               options.out.string());
    return done;
}

} // namespace apriori::program
