// SPDX-License-Identifier: Apache-2.0
// CLIP's tokenizer from the files of a tokenizer/ folder: merges.txt, vocab.json, tokenizer_config.json, of which only the
// first must be there, or tokenizer.json in its place.
#pragma once

#include "apriori/core/macros.hpp"
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

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// The tokenizer in a folder as transformers writes it: merges.txt and, where there is one, vocab.json, or else
/// tokenizer.json; and where there are any tokenizer_config.json and special_tokens_map.json. With merges.txt alone the
/// vocabulary is OpenAI's.
result<clip_tokenizer> load_clip_tokenizer(const std::filesystem::path& folder);

#if APRIORI_DEFINITIONS

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
    auto items = object.items();
    if (!object.is(json_kind::object) || items.empty())
        return failure{errc::bad_format, cat(where, ": is ", shown(object), ", not an object of tokens and ids")};
    std::vector<std::pair<std::string, std::int32_t>> out;
    out.reserve(items.size());
    for (auto& [token, value] : items) {
        const std::uint64_t id = value.whole().value_or(~std::uint64_t{0});
        if (id >= 0x7FFFFFFFU)
            return failure{errc::bad_format, cat(where, ": the id of ", quote(token), " is ", shown(value),
                                                 "; allowed: an integer from 0 to 2147483646")};
        out.emplace_back(std::move(token), static_cast<std::int32_t>(id));
    }
    return out;
}

namespace detail {

/// A special token as transformers writes it: a text, or an AddedToken with its text as "content".
inline result<clip_special_token> clip_special(const json& value, std::string_view where, std::string_view field) {
    const auto bad = [&](errc code, std::string_view why) {
        return failure{code, cat(where, ": ", field, " is ", io::shown(value), "; ", why)};
    };
    const json content = value.is(json_kind::string) ? value : value["content"];
    if (!content.is(json_kind::string))
        return bad(errc::bad_format, "allowed: a text, or an object with a text as \"content\"");
    clip_special_token token{content.string()};
    for (const char* flag : {"lstrip", "rstrip", "single_word", "normalized"}) {
        const bool on = value[flag].text == "true";
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
        const json value = object[name];
        if (!value || value.is(json_kind::null)) continue;
        auto one = clip_special(value, where, cat("field '", name, '\''));
        if (!one) return one.error();
        *token = std::move(*one);
    }
    return {};
}

/// read(the object in a JSON file, its name).
template <class Read>
result<void> read_json_object(const std::filesystem::path& path, Read&& read) {
    const auto file = mapped_file::open(path);
    if (!file) return file.error();
    const auto parsed = parse_json(file->text(), path.string());
    if (!parsed) return parsed.error();
    if (!parsed->is(json_kind::object))
        return failure{errc::bad_format, cat(path.string(), ": is ", io::shown(*parsed), ", not an object")};
    return read(*parsed, path.string());
}

} // namespace detail

/// Special tokens and model_max_length of the object in a tokenizer_config.json into `parts`; its many other fields change
/// nothing here. A model_max_length beyond a million, which transformers writes for none, leaves CLIP's 77.
inline result<void> read_clip_tokenizer_config(const json& config, std::string_view where,
                                               clip_tokenizer_parts& parts) {
    if (auto s = detail::clip_named_tokens(config, where, parts); !s) return s;
    if (const json value = config["model_max_length"]; value && !value.is(json_kind::null)) {
        const double n = value.number();
        if (!(n >= 2) || (n < 1e6 && !value.whole()))
            return failure{errc::invalid_argument,
                           cat(where, ": field 'model_max_length' is ", shown(value), "; allowed: an integer from 2")};
        if (n < 1e6) parts.model_max_length = static_cast<int>(n);
    }
    if (const json added = config["added_tokens_decoder"]; added.is(json_kind::object))
        for (const auto& [key, value] : added.items()) {
            auto token = detail::clip_special(value, where, cat("added_tokens_decoder ", quote(key)));
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
inline result<void> clip_tokenizer_json(const json& whole, const std::string& where, clip_tokenizer_parts& parts) {
    const json model = whole["model"];
    if (model["type"].string() != "BPE" || model["end_of_word_suffix"].string() != "</w>")
        return failure{errc::unsupported,
                       cat(where, ": 'model' is not CLIP's: a BPE whose end_of_word_suffix is </w>")};
    parts.vocabulary_name = where + ": vocab";
    parts.merges_name = where + ": merges";
    auto vocabulary = read_clip_vocabulary(model["vocab"], parts.vocabulary_name);
    if (!vocabulary) return vocabulary.error();
    parts.vocabulary = std::move(*vocabulary);
    const json merges = model["merges"];
    if (!merges.is(json_kind::array)) return failure{errc::bad_format, cat(parts.merges_name, ": is not an array")};
    int line = 0;
    for (const auto& [no_key, one] : merges.items()) { // ["a", "b"], or "a b" in older files
        ++line;
        const auto two = one.items();
        if (two.size() == 2 && two[0].value.is(json_kind::string) && two[1].value.is(json_kind::string)) {
            parts.merges.push_back({two[0].value.string(), two[1].value.string(), line});
            continue;
        }
        auto pair = parse_clip_merges(one.string(), parts.merges_name);
        if (!pair || pair->size() != 1)
            return failure{errc::bad_format,
                           cat(parts.merges_name, ':', line, ": is ", io::shown(one), ", not two tokens")};
        parts.merges.push_back({pair->front().left, pair->front().right, line});
    }
    const auto added = whole["added_tokens"].items();
    for (std::size_t i = 0; i < added.size(); ++i) {
        auto token = clip_special(added[i].value, where, cat("added_tokens ", i));
        if (!token) return token.error();
        parts.added_tokens.push_back(std::move(*token));
    }
    return {};
}

} // namespace detail

APRIORI_FUNCTION result<clip_tokenizer> load_clip_tokenizer(const std::filesystem::path& folder) {
    clip_tokenizer_parts parts;
    const auto there = [&](const char* name) {
        std::error_code none;
        return std::filesystem::exists(folder / name, none);
    };
    const auto read = [&](const char* name, auto& reader) {
        return detail::read_json_object(
            folder / name, [&](const json& object, const std::string& where) { return reader(object, where, parts); });
    };
    const bool one_file = !there("merges.txt") && there("tokenizer.json");
    auto done = one_file ? read("tokenizer.json", detail::clip_tokenizer_json) : detail::clip_text_files(folder, parts);
    if (done && there("tokenizer_config.json")) done = read("tokenizer_config.json", read_clip_tokenizer_config);
    // What older transformers wrote, and newer read where there is no added_tokens_decoder.
    if (done && parts.added_tokens.empty() && there("special_tokens_map.json"))
        done = read("special_tokens_map.json", detail::clip_named_tokens);
    if (!done) return done.error();
    return clip_tokenizer::make(std::move(parts));
}

#endif

} // namespace apriori::io
APRIORI_END_EXACT_MATH
