// SPDX-License-Identifier: Apache-2.0
// apriori encode: writes the text encoder's outputs, as files of conditions that `sample --conditions` reads.
#include "apriori/io/safetensors_writer.hpp"
#include "batch.hpp"
#include "commands.hpp"
#include "conditions.hpp"
#include "interrupt.hpp"
#include "output_file.hpp"
#include "pipeline_parts.hpp"
#include "say.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace apriori::program {

namespace {

/// The name of each text's tensors: the text, or, if it can't be part of a tensor's name, its index: text_3 is the
/// third. Equal texts have one name.
std::vector<std::string> names_of(const std::vector<std::string>& texts) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (const auto same = std::find(texts.begin(), texts.end(), texts[i]); same < texts.begin() + index_t(i)) {
            names.push_back(names[to_size(same - texts.begin())]);
        } else if (io::bad_tensor_name(texts[i] + ".last_hidden_state") == nullptr) {
            names.push_back(texts[i]);
        } else {
            std::string name = fmt::format("text_{}", i + 1);
            while (std::find(texts.begin(), texts.end(), name) != texts.end()) name += '_'; // taken by another text
            names.push_back(name);
        }
    }
    return names;
}

result<void> check_text(const std::string& text) {
    if (!text.empty() && text != conditions_file::unconditional) return {};
    return failure{errc::invalid_argument, fmt::format("a text is {}; the empty text is written in any case, as {}",
                                                       io::quote(text), conditions_file::unconditional)};
}

run_settings settings_of(const encode_options& options, const pipeline_parts& parts,
                         const std::vector<std::string>& texts) {
    return {{"prompts", prompts_text(texts)},
            {"mask_text_encoder", options.mask_text_encoder ? "true" : "false"},
            {"text_encoder_hash", hash_text(parts.words->text_model->weights_hash())},
            {"model", parts.model_name}};
}

/// Writes the conditions of the texts and of the empty one.
result<void> write_conditions(const std::filesystem::path& file, const run_settings& settings,
                              const encode_options& options, const pipeline_parts& parts,
                              const std::vector<std::string>& texts) {
    const word_parts& words = *parts.words;
    std::vector<std::string> names{std::string(conditions_file::unconditional)};
    std::vector<std::string_view> all{""};
    const std::vector<std::string> own = names_of(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (std::find(names.begin(), names.end(), own[i]) != names.end()) continue; // a repeated text
        names.push_back(own[i]);
        all.push_back(texts[i]);
    }
    const auto encoded = encode_texts(words.tokenizer, words.text, all, {options.mask_text_encoder});
    if (interrupt_signal() != 0) return interrupt_failure();
    if (!encoded) return encoded.error();
    report_cut(names, encoded->cut, words.tokenizer.model_max_length());

    io::safetensors_writer out; // refers to the tensors that are added
    const std::vector<float> masks(encoded->attention_mask.begin(), encoded->attention_mask.end());
    for (std::size_t t = 0; t < names.size(); ++t) {
        const prior_prompt p = (*encoded)[static_cast<index_t>(t)];
        const auto mask = std::span(masks).subspan(t * p.attention_mask.size(), p.attention_mask.size());
        const auto tokens = static_cast<index_t>(mask.size());
        if (auto r = out.add(names[t] + ".text_embeds", {words.text.embedding}, p.text_embeds); !r) return r.error();
        if (auto r = out.add(names[t] + ".last_hidden_state", {tokens, words.text.width}, p.last_hidden_state); !r)
            return r.error();
        if (auto r = out.add(names[t] + ".attention_mask", {tokens}, mask); !r) return r.error();
    }
    for (const auto& [key, value] : settings)
        if (auto r = out.metadata(key, value); !r) return r.error();
    return out.write(file);
}

} // namespace

result<exit_code> run_encode(const encode_options& options) {
    for (const std::string& text : options.texts)
        if (auto r = check_text(text); !r) return r.error();
    pipeline_options folder;
    folder.on = options.on;
    folder.model = options.model;
    auto parts = open_pipeline(folder);
    if (!parts) return parts.error();
    if (auto r = open_words(folder, *parts); !r) return r.error();
    if (!options.batch.empty()) {
        const auto read = [&](io::json_fields& fields, const std::string& where) -> result<batch_line> {
            std::vector<std::string> texts(1);
            read_prompt(fields, texts.front());
            if (auto r = fields.finish("a line"); !r) return r.error();
            if (auto r = check_text(texts.front()); !r)
                return failure{r.error().code, where + ": " + r.error().message};
            return batch_line{texts.front(), 0, [=, &options, &parts] { return settings_of(options, *parts, texts); },
                              [=, &options, &parts](std::span<const waiting_line> lines, run_progress&) {
                                  return write_each(lines, [&](std::size_t i) {
                                      return write_conditions(lines[i].file, lines[i].settings, options, *parts, texts);
                                  });
                              }};
        };
        return run_batch(options.batch, options.out, read, [] { return result<void>(); });
    }
    if (auto r = check_outputs({{"--out", options.out}}, inputs_of(options.model)); !r) return r.error();
    if (auto r =
            write_conditions(options.out, settings_of(options, *parts, options.texts), options, *parts, options.texts);
        !r)
        return r.error();
    const std::vector<std::string> names = names_of(options.texts);
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] != options.texts[i])
            say(stdout, "{} is called {} in the file: a tensor's name can't hold it\n", io::quote(options.texts[i]),
                names[i]);
    say(stdout, "{}, and the empty one: {}\n", counted(static_cast<std::int64_t>(options.texts.size()), "text"),
        options.out.string());
    return done;
}

} // namespace apriori::program
