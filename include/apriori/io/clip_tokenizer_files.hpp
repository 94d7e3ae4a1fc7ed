// SPDX-License-Identifier: Apache-2.0
// CLIP's tokenizer from the files of a tokenizer/ folder: merges.txt, vocab.json and tokenizer_config.json, of which
// only the first is required, or tokenizer.json instead. Added tokens are read from the same files as in transformers.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/io/json.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/text/clip_tokenizer.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// The tokenizer in a folder as transformers writes it: merges.txt and vocab.json, or tokenizer.json if one of them is
/// missing, and if they exist tokenizer_config.json, special_tokens_map.json and added_tokens.json. With only
/// merges.txt the vocabulary is OpenAI's.
result<clip_tokenizer> load_clip_tokenizer(const std::filesystem::path& folder);

#if APRIORI_DEFINITIONS

/// The lines "left right" of a merges.txt; a first line "#version..." is skipped. bad_format
/// names `where` and the line.
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

namespace detail {

/// The id that a file gives to `token`.
inline result<std::int32_t> clip_id(const json& value, std::string_view token, std::string_view where) {
    const std::uint64_t id = value.whole().value_or(~std::uint64_t{0});
    if (id < 0x7FFFFFFFU) return static_cast<std::int32_t>(id);
    return failure{errc::bad_format, cat(where, ": the id of ", quote(token), " is ", io::shown(value),
                                         "; allowed: an integer from 0 to 2147483646")};
}

} // namespace detail

/// The tokens and ids of an object of integers; `where` names it in errors.
inline result<std::vector<std::pair<std::string, std::int32_t>>> read_clip_vocabulary(const json& object,
                                                                                      std::string_view where) {
    auto items = object.items();
    if (!object.is(json_kind::object) || items.empty())
        return failure{errc::bad_format, cat(where, ": is ", shown(object), ", not an object of tokens and ids")};
    std::vector<std::pair<std::string, std::int32_t>> out;
    out.reserve(items.size());
    for (auto& [token, value] : items) {
        const auto id = detail::clip_id(value, token, where);
        if (!id) return id.error();
        out.emplace_back(std::move(token), *id);
    }
    return out;
}

namespace detail {

/// The content of the files, in the order in which transformers reads them.
struct clip_files {
    clip_tokenizer_parts parts{};
    std::map<std::int32_t, clip_added_token> added{}; ///< by the id in the file
    /// From special_tokens_map.json; they don't make a token of added_tokens.json special.
    std::vector<clip_added_token> additional{};
    bool described = false; ///< tokenizer_config.json has added_tokens_decoder; other files' are then not read
};

/// A token as transformers writes it: a text, which is special, or an AddedToken with its text as "content".
inline result<clip_added_token> clip_token(const json& value, std::string_view where, std::string_view field,
                                           bool special = true) {
    const json content = value.is(json_kind::string) ? value : value["content"];
    if (!content.is(json_kind::string))
        return failure{errc::bad_format, cat(where, ": ", field, " is ", io::shown(value),
                                             "; allowed: a text, or an object with a text as \"content\"")};
    const auto flag = [&](const char* name, bool unless_said) {
        const json one = value[name];
        return one ? one.text == "true" : unless_said;
    };
    return clip_added_token{.text = content.string(),
                            .normalized = flag("normalized", !flag("special", special)),
                            .single_word = flag("single_word", false),
                            .lstrip = flag("lstrip", false),
                            .rstrip = flag("rstrip", false)};
}

/// Appends the tokens of a list, or the values of an object.
inline result<void> clip_token_list(const json& list, std::string_view where, std::string_view field,
                                    std::vector<clip_added_token>& to) {
    if (!list || list.is(json_kind::null)) return {};
    if (!list.is(json_kind::array) && !list.is(json_kind::object))
        return failure{errc::bad_format,
                       cat(where, ": field '", field, "' is ", io::shown(list), "; allowed: a list of tokens")};
    for (const auto& [key, value] : list.items()) {
        auto one = clip_token(value, where, cat("a token of field '", field, '\''));
        if (!one) return one.error();
        to.push_back(std::move(*one));
    }
    return {};
}

/// Reads the named tokens of a tokenizer_config.json or special_tokens_map.json, and its list of further special ones.
/// Those called additional_special_tokens, in older files, are appended to `additional`.
inline result<void> clip_named_tokens(const json& object, std::string_view where, clip_files& files,
                                      std::vector<clip_added_token>& additional) {
    clip_tokenizer_parts& parts = files.parts;
    const std::pair<std::string_view, clip_added_token*> always[] = {{"bos_token", &parts.bos_token},
                                                                     {"eos_token", &parts.eos_token},
                                                                     {"unk_token", &parts.unk_token},
                                                                     {"pad_token", &parts.pad_token}};
    const std::pair<std::string_view, std::optional<clip_added_token>*> sometimes[] = {
        {"sep_token", &parts.sep_token}, {"cls_token", &parts.cls_token}, {"mask_token", &parts.mask_token}};
    std::vector<clip_added_token> own; // those with other names, such as "image_token"
    for (const auto& [name, value] : object.items()) {
        const auto named = [&](const auto& one) { return one.first == name; };
        const auto a = std::find_if(std::begin(always), std::end(always), named);
        const auto b = std::find_if(std::begin(sometimes), std::end(sometimes), named);
        const bool ours = a != std::end(always) || b != std::end(sometimes);
        if (value.is(json_kind::null) || (!ours && (!name.ends_with("_token") || !value.is(json_kind::string))))
            continue;
        auto token = clip_token(value, where, cat("field '", name, '\''));
        if (!token) return token.error();
        if (a != std::end(always))
            *a->second = std::move(*token);
        else if (b != std::end(sometimes))
            *b->second = std::move(*token);
        else
            own.push_back(std::move(*token));
    }
    std::vector<clip_added_token>& all = parts.extra_tokens;
    if (auto s = clip_token_list(object["extra_special_tokens"], where, "extra_special_tokens", all); !s) return s;
    const bool newer = !all.empty(); // the newer name wins if it has any tokens
    all.insert(all.end(), own.begin(), own.end());
    std::vector<clip_added_token> older;
    if (auto s = clip_token_list(object["additional_special_tokens"], where, "additional_special_tokens", older); !s)
        return s;
    if (!newer) additional.insert(additional.end(), older.begin(), older.end());
    return {};
}

/// The same for a special_tokens_map.json.
inline result<void> clip_special_tokens_map(const json& object, std::string_view where, clip_files& files) {
    return clip_named_tokens(object, where, files, files.additional);
}

/// Calls read(object, path) with the object in a JSON file.
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

namespace detail {

/// Reads the tokens and model_max_length of the object in a tokenizer_config.json; its many other fields have no effect
/// here. A model_max_length of a million or more, which transformers writes if there is none, leaves CLIP's 77.
inline result<void> clip_tokenizer_config(const json& config, std::string_view where, clip_files& files) {
    if (auto s = clip_named_tokens(config, where, files, files.parts.extra_tokens); !s) return s;
    if (const json value = config["model_max_length"]; value && !value.is(json_kind::null)) {
        const double n = value.number();
        if (!(n >= 2) || (n < 1e6 && !value.whole()))
            return failure{errc::invalid_argument, cat(where, ": field 'model_max_length' is ", io::shown(value),
                                                       "; allowed: an integer from 2")};
        if (n < 1e6) files.parts.model_max_length = static_cast<int>(n);
    }
    const json added = config["added_tokens_decoder"];
    files.described = added.is(json_kind::object);
    for (const auto& [key, value] : added.items()) {
        auto token = clip_token(value, where, cat("added_tokens_decoder ", quote(key)), false);
        if (!token) return token.error();
        const auto id = parse_json(key, where);
        const auto number = id ? clip_id(*id, token->text, where) : id.error();
        if (!number)
            return failure{errc::bad_format, cat(where, ": added_tokens_decoder: the key ", quote(key),
                                                 " is not an id; allowed: an integer from 0 to 2147483646")};
        files.added[*number] = std::move(*token);
    }
    return {};
}

/// Reads added_tokens.json, from older versions: texts and ids. A token is special if another file names it.
inline result<void> clip_added_tokens(const json& object, std::string_view where, clip_files& files) {
    std::unordered_set<std::string_view> special;
    const clip_tokenizer_parts& parts = files.parts;
    for (const auto* t : {&parts.bos_token, &parts.eos_token, &parts.unk_token, &parts.pad_token})
        special.insert(t->text);
    for (const auto* t : {&parts.sep_token, &parts.cls_token, &parts.mask_token})
        if (*t) special.insert((*t)->text);
    for (const auto& t : parts.extra_tokens) special.insert(t.text);
    for (const auto& [text, value] : object.items()) {
        const auto id = clip_id(value, text, where);
        if (!id) return id.error();
        files.added[*id] = {.text = text, .normalized = !special.contains(text)};
    }
    return {};
}

/// Reads the list of added tokens in a tokenizer.json.
inline result<void> clip_listed_tokens(const json& whole, std::string_view where, clip_files& files) {
    const auto listed = whole["added_tokens"].items();
    for (std::size_t i = 0; i < listed.size(); ++i) {
        auto token = clip_token(listed[i].value, where, cat("added_tokens ", i), false);
        if (!token) return token.error();
        const auto id = clip_id(listed[i].value["id"], token->text, where);
        if (!id) return id.error();
        files.added[*id] = std::move(*token);
    }
    return {};
}

} // namespace detail

namespace detail {

/// Reads merges.txt, and vocab.json if it exists, into `parts`.
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

/// Reads the vocabulary and merges of a tokenizer.json, the only file that transformers 5 writes, into `parts`. Its
/// settings of clean-up and words are CLIP's, and are not read.
inline result<void> clip_tokenizer_json(const json& whole, const std::string& where, clip_files& files) {
    clip_tokenizer_parts& parts = files.parts;
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
    return {};
}

} // namespace detail

APRIORI_FUNCTION result<clip_tokenizer> load_clip_tokenizer(const std::filesystem::path& folder) {
    detail::clip_files files;
    const auto there = [&](const char* name) {
        std::error_code none;
        return std::filesystem::exists(folder / name, none);
    };
    result<void> done;
    const auto read = [&](const char* name, auto& reader) {
        if (!done) return;
        done = detail::read_json_object(
            folder / name, [&](const json& object, const std::string& where) { return reader(object, where, files); });
    };
    const auto read_if_there = [&](const char* name, auto& reader) {
        if (there(name)) read(name, reader);
    };
    if (there("tokenizer.json") && !(there("merges.txt") && there("vocab.json")))
        read("tokenizer.json", detail::clip_tokenizer_json);
    else
        done = detail::clip_text_files(folder, files.parts);
    read_if_there("tokenizer_config.json", detail::clip_tokenizer_config);
    if (!files.described) {
        read_if_there("special_tokens_map.json", detail::clip_special_tokens_map);
        read_if_there("added_tokens.json", detail::clip_added_tokens);
        read_if_there("tokenizer.json", detail::clip_listed_tokens);
    }
    if (!done) return done.error();
    for (auto& [id, token] : files.added) files.parts.added_tokens.push_back(std::move(token));
    auto& extra = files.parts.extra_tokens;
    extra.insert(extra.end(), files.additional.begin(), files.additional.end());
    return clip_tokenizer::make(std::move(files.parts));
}

#endif

} // namespace apriori::io
APRIORI_END_EXACT_MATH
