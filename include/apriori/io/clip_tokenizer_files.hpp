// SPDX-License-Identifier: Apache-2.0
// CLIP's tokenizer from the files of a tokenizer/ folder: merges.txt, vocab.json, tokenizer_config.json, of which only the
// first must be there, or tokenizer.json in its place.
#pragma once

#include "apriori/io/json.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/text/clip_tokenizer.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace apriori::io {

/// The lines "left right" of a merges.txt; a first line "#version..." is skipped. bad_format names `where` and the line.
inline result<std::vector<clip_merge>> parse_clip_merges(std::string_view text, std::string_view where) {
    std::vector<clip_merge> out;
    for (int line = 1; !text.empty(); ++line) {
        const auto end = text.find('\n');
        std::string_view one = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (one.ends_with('\r')) one.remove_suffix(1);
        if (one.starts_with("#version") || (one.empty() && text.empty())) continue;
        const auto space = one.find(' ');
        if (space == std::string_view::npos || space == 0 || space + 1 == one.size() ||
            one.find(' ', space + 1) != std::string_view::npos)
            return failure{errc::bad_format,
                           cat(where, ':', line, ": is ", quote(one), ", not two tokens with a space between")};
        if (!valid_utf8(one)) return failure{errc::bad_format, cat(where, ':', line, ": is not UTF-8: ", quote(one))};
        out.push_back({std::string(one.substr(0, space)), std::string(one.substr(space + 1)), line});
    }
    return out;
}

/// The tokens and ids of an object of integers; `where` names it.
inline result<std::vector<std::pair<std::string, std::int32_t>>> read_clip_vocabulary(const json& object,
                                                                                      std::string_view where) {
    if (!object.is_object() || object.empty())
        return failure{errc::bad_format, cat(where, ": is ", shown(object), ", not an object of tokens and ids")};
    std::vector<std::pair<std::string, std::int32_t>> out;
    out.reserve(object.size());
    for (const auto& item : object.items()) {
        const json& v = item.value();
        if (!v.is_number_unsigned() || v.get<std::uint64_t>() >= 0x7FFFFFFFU)
            return failure{errc::bad_format, cat(where, ": the id of ", quote(item.key()), " is ", shown(v),
                                                 "; allowed: an integer from 0 to 2147483646")};
        out.emplace_back(item.key(), static_cast<std::int32_t>(v.get<std::uint64_t>()));
    }
    return out;
}

namespace detail {

/// A special token as transformers writes it: a text, or an AddedToken with its text as "content".
inline result<clip_special_token> clip_special(const json& value, std::string_view where, std::string_view field) {
    const auto bad = [&](errc code, std::string_view why) {
        return failure{code, cat(where, ": ", field, " is ", io::shown(value), "; ", why)};
    };
    if (value.is_string()) return clip_special_token{value.get<std::string>()};
    const auto content = value.is_object() ? value.find("content") : value.end();
    if (content == value.end() || !content->is_string())
        return bad(errc::bad_format, "allowed: a text, or an object with a text as \"content\"");
    clip_special_token token{content->get<std::string>()};
    for (const char* flag : {"lstrip", "rstrip", "single_word", "normalized"}) {
        const bool on = value.contains(flag) && value[flag] == json(true);
        if (flag == std::string_view("normalized"))
            token.normalized = on;
        else if (on)
            return bad(errc::unsupported, cat("CLIP's tokens have ", flag, " false"));
    }
    return token;
}

/// The four named tokens of a tokenizer_config.json or special_tokens_map.json.
inline result<void> clip_named_tokens(const json& object, std::string_view where, clip_tokenizer_parts& parts) {
    const std::pair<const char*, clip_special_token*> tokens[] = {{"bos_token", &parts.bos_token},
                                                                  {"eos_token", &parts.eos_token},
                                                                  {"unk_token", &parts.unk_token},
                                                                  {"pad_token", &parts.pad_token}};
    for (const auto& [name, token] : tokens) {
        const auto at = object.find(name);
        if (at == object.end() || at->is_null()) continue;
        auto one = clip_special(*at, where, cat("field '", name, '\''));
        if (!one) return one.error();
        *token = std::move(*one);
    }
    return {};
}

/// The file as a JSON object.
inline result<json> json_object(const std::filesystem::path& path) {
    const auto file = mapped_file::open(path);
    if (!file) return file.error();
    auto parsed = parse_json(file->text(), path.string());
    if (parsed && !parsed->is_object())
        return failure{errc::bad_format, cat(path.string(), ": is ", io::shown(*parsed), ", not an object")};
    return parsed;
}

} // namespace detail

/// Special tokens and model_max_length of the object in a tokenizer_config.json into `parts`; its many other fields change
/// nothing here. A model_max_length beyond a million, which transformers writes for none, leaves CLIP's 77.
inline result<void> read_clip_tokenizer_config(const json& config, std::string_view where,
                                               clip_tokenizer_parts& parts) {
    if (auto s = detail::clip_named_tokens(config, where, parts); !s) return s;
    if (const auto at = config.find("model_max_length"); at != config.end() && !at->is_null()) {
        const double n = at->is_number() ? at->get<double>() : 0;
        if (n < 2 || (n < 1e6 && !at->is_number_integer()))
            return failure{errc::invalid_argument,
                           cat(where, ": field 'model_max_length' is ", shown(*at), "; allowed: an integer from 2")};
        if (n < 1e6) parts.model_max_length = static_cast<int>(n);
    }
    if (const auto added = config.find("added_tokens_decoder"); added != config.end() && added->is_object())
        for (const auto& item : added->items()) {
            auto token = detail::clip_special(item.value(), where, cat("added_tokens_decoder ", quote(item.key())));
            if (!token) return token.error();
            parts.added_tokens.push_back(std::move(*token));
        }
    return {};
}

namespace detail {

/// merges.txt and vocab.json, where there is one, into `parts`.
inline result<void> clip_text_files(const std::filesystem::path& folder, clip_tokenizer_parts& parts) {
    parts.merges_name = (folder / "merges.txt").string();
    const auto merges = mapped_file::open(folder / "merges.txt");
    if (!merges) return merges.error();
    auto lines = parse_clip_merges(merges->text(), parts.merges_name);
    if (!lines) return lines.error();
    parts.merges = std::move(*lines);

    std::error_code none;
    const auto path = folder / "vocab.json";
    parts.vocabulary_name = "the vocabulary that follows from " + parts.merges_name;
    if (!std::filesystem::exists(path, none)) return {};
    parts.vocabulary_name = path.string();
    const auto file = mapped_file::open(path);
    if (!file) return file.error();
    const auto parsed = parse_json(file->text(), parts.vocabulary_name);
    if (!parsed) return parsed.error();
    auto vocabulary = read_clip_vocabulary(*parsed, parts.vocabulary_name);
    if (!vocabulary) return vocabulary.error();
    parts.vocabulary = std::move(*vocabulary);
    return {};
}

/// Model and added tokens of a tokenizer.json, the one file that transformers 5 writes, into `parts`. What it says of
/// clean-up and words is CLIP's, and not read.
inline result<void> clip_tokenizer_json(const std::filesystem::path& path, clip_tokenizer_parts& parts) {
    const auto whole = json_object(path);
    if (!whole) return whole.error();
    const std::string where = path.string();
    const auto model = whole->find("model");
    if (model == whole->end() || !model->is_object() || model->value("type", json()) != json("BPE") ||
        model->value("end_of_word_suffix", json()) != json("</w>"))
        return failure{errc::unsupported,
                       cat(where, ": 'model' is not CLIP's: a BPE whose end_of_word_suffix is </w>")};
    parts.vocabulary_name = where + ": vocab";
    parts.merges_name = where + ": merges";
    auto vocabulary = read_clip_vocabulary(model->value("vocab", json()), parts.vocabulary_name);
    if (!vocabulary) return vocabulary.error();
    parts.vocabulary = std::move(*vocabulary);
    const json merges = model->value("merges", json());
    if (!merges.is_array()) return failure{errc::bad_format, cat(parts.merges_name, ": is not an array")};
    int line = 0;
    for (const json& one : merges) { // ["a", "b"], or "a b" in older files
        ++line;
        if (one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_string()) {
            parts.merges.push_back({one[0].get<std::string>(), one[1].get<std::string>(), line});
            continue;
        }
        auto pair = parse_clip_merges(one.is_string() ? one.get<std::string>() : std::string(), parts.merges_name);
        if (!pair || pair->size() != 1)
            return failure{errc::bad_format,
                           cat(parts.merges_name, ':', line, ": is ", io::shown(one), ", not two tokens")};
        parts.merges.push_back({pair->front().left, pair->front().right, line});
    }
    const json added = whole->value("added_tokens", json::array());
    for (std::size_t i = 0; added.is_array() && i < added.size(); ++i) {
        auto token = clip_special(added[i], where, cat("added_tokens ", i));
        if (!token) return token.error();
        parts.added_tokens.push_back(std::move(*token));
    }
    return {};
}

} // namespace detail

/// The tokenizer in a folder as transformers writes it: merges.txt and, where there is one, vocab.json, or else
/// tokenizer.json; and where there are any tokenizer_config.json and special_tokens_map.json. With merges.txt alone the
/// vocabulary is OpenAI's.
inline result<clip_tokenizer> load_clip_tokenizer(const std::filesystem::path& folder) {
    clip_tokenizer_parts parts;
    const auto there = [&](const char* name) {
        std::error_code none;
        return std::filesystem::exists(folder / name, none);
    };
    const bool one_file = !there("merges.txt") && there("tokenizer.json");
    if (auto s = one_file ? detail::clip_tokenizer_json(folder / "tokenizer.json", parts)
                          : detail::clip_text_files(folder, parts);
        !s)
        return s.error();
    if (const auto name = folder / "tokenizer_config.json"; there("tokenizer_config.json")) {
        auto config = detail::json_object(name);
        if (!config) return config.error();
        if (auto s = read_clip_tokenizer_config(*config, name.string(), parts); !s) return s.error();
    }
    // What older transformers wrote, and newer read where there is no added_tokens_decoder.
    if (const auto name = folder / "special_tokens_map.json";
        parts.added_tokens.empty() && there("special_tokens_map.json")) {
        auto map = detail::json_object(name);
        if (!map) return map.error();
        if (auto s = detail::clip_named_tokens(*map, name.string(), parts); !s) return s.error();
    }
    return clip_tokenizer::make(std::move(parts));
}

} // namespace apriori::io
