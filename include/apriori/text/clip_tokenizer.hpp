// SPDX-License-Identifier: Apache-2.0
// CLIP's tokenizer, with the ids of transformers' CLIPTokenizer. io/clip_tokenizer_files.hpp reads its files.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/text/added_tokens.hpp"
#include "apriori/text/byte_pairs.hpp"
#include "apriori/text/unicode.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace apriori {

/// One line of merges.txt.
struct clip_merge {
    std::string left{}, right{};
    int line = 0; ///< for messages
};

/// The parts of a tokenizer. Tokens that the vocabulary lacks get the next free ids, in this order: `added_tokens`, the
/// named ones, `extra_tokens`.
struct clip_tokenizer_parts {
    std::vector<clip_merge> merges{};
    /// Tokens and their ids. Empty: OpenAI's, which follows from the merges: the bytes, the bytes with `</w>`, the
    /// results of the merges, `<|startoftext|>`, `<|endoftext|>`.
    std::vector<std::pair<std::string, std::int32_t>> vocabulary{};
    /// If tokens have the same text, the last one decides how it is matched, but these take precedence over those
    /// below.
    std::vector<clip_added_token> added_tokens{};
    clip_added_token bos_token{"<|startoftext|>"}, eos_token{"<|endoftext|>"}, unk_token{"<|endoftext|>"};
    std::optional<clip_added_token> sep_token{};
    clip_added_token pad_token{"<|endoftext|>"};
    std::optional<clip_added_token> cls_token{}, mask_token{};
    std::vector<clip_added_token> extra_tokens{};
    int model_max_length = 77;
    /// Where the merges and the vocabulary come from, for messages.
    std::string merges_name = "merges.txt", vocabulary_name = "vocab.json";
};

/// The ids and the mask of some texts, as the text encoder takes them.
struct clip_tokens {
    index_t rows = 0, tokens = 0;
    std::vector<std::int32_t> input_ids{};      ///< [rows, tokens]
    std::vector<std::uint8_t> attention_mask{}; ///< [rows, tokens], 1 up to the end mark, 0 for padding
    std::vector<index_t> cut{};                 ///< [rows] how many tokens of each text did not fit
};

/// Byte-pair encoding with CLIP's clean-up: NFC and lower case, then split into words, single digits and runs of other
/// characters. Bytes that are not UTF-8 count as U+FFFD. Added tokens in a text stand for themselves.
class clip_tokenizer {
public:
    /// bad_format, naming file and line, if the vocabulary lacks a token that a merge makes or takes, an id occurs
    /// twice or is negative, or CLIP's start or end token is in neither the vocabulary nor the added tokens.
    static result<clip_tokenizer> make(clip_tokenizer_parts parts) {
        clip_tokenizer t;
        std::unordered_map<std::string, std::int32_t> ids;
        if (parts.vocabulary.empty()) parts.vocabulary = derived(parts.merges);
        if (auto s = t.take_vocabulary(parts, ids); !s) return s.error();
        if (auto s = t.take_added(parts, ids); !s) return s.error();
        const auto symbols = byte_symbols();
        const auto id_of = [&](const std::string& token) {
            const auto at = ids.find(token);
            return at == ids.end() ? t.unk_ : at->second;
        };
        for (std::size_t b = 0; b < 256; ++b) {
            t.pairs_.inner[b] = id_of(symbols[b]);
            t.pairs_.last[b] = id_of(symbols[b] + "</w>");
        }
        int rank = 0;
        for (const clip_merge& m : parts.merges) {
            const std::string whole = m.left + m.right;
            for (const std::string* token : {&m.left, &m.right, &whole})
                if (!ids.contains(*token))
                    return failure(errc::bad_format, parts.merges_name, ':', m.line, ": ",
                                   (token == &whole ? "makes " : "takes "), shown(*token), ", which is not in ",
                                   parts.vocabulary_name);
            t.pairs_.merge(ids[m.left], ids[m.right], ids[whole], rank++);
        }
        t.model_max_length_ = parts.model_max_length;
        return t;
    }

    /// The ids of a text with the start and end marks, neither cut nor padded.
    std::vector<std::int32_t> encode(std::string_view text) const {
        std::vector<std::int32_t> out{bos_};
        const std::u32string points = unicode::decode(text);
        as_they_are_.split(points, out, [&](std::u32string_view raw) {
            const std::u32string clean = clean_up(raw);
            normalized_.split(clean, out, [&](std::u32string_view words) { encode_words(words, out); });
        });
        out.push_back(eos_);
        return out;
    }

    /// Texts cut and padded to max_length tokens, marks included; 0 means model_max_length(). invalid_argument below 2,
    /// which leaves no room for the marks.
    result<clip_tokens> operator()(std::span<const std::string_view> texts, int max_length = 0) const;
    result<clip_tokens> operator()(std::string_view text, int max_length = 0) const {
        return (*this)(std::span<const std::string_view>(&text, 1), max_length);
    }

    /// The name of a token in messages: an added or special one's text, in quotes, otherwise the id.
    std::string name_of(std::int32_t id) const {
        const auto at = added_.find(id);
        return at == added_.end() ? std::to_string(id) : shown(at->second.text);
    }
    /// Every id is below this.
    std::int32_t vocab_size() const noexcept { return vocab_size_; }
    std::int32_t bos_token_id() const noexcept { return bos_; }
    std::int32_t eos_token_id() const noexcept { return eos_; }
    std::int32_t pad_token_id() const noexcept { return pad_; }
    int model_max_length() const noexcept { return model_max_length_; }

private:
    /// A token from a file in quotes, for a message: control characters become ?, and a long one is cut.
    static std::string shown(const std::string& token) {
        std::string out(1, '"'); // gcc 12 reports "literal" + string as overlapping (its bug 105651)
        const std::u32string points = unicode::decode(token);
        for (const char32_t c : std::u32string_view(points).substr(0, 80))
            unicode::encode(c < 0x20 || (c >= 0x7F && c < 0xA0) ? U'?' : c, out);
        return out.append(points.size() > 80 ? "...\"" : "\"");
    }

    static std::vector<std::pair<std::string, std::int32_t>> derived(const std::vector<clip_merge>& merges) {
        std::vector<std::pair<std::string, std::int32_t>> out;
        const auto add = [&](std::string token) { out.emplace_back(std::move(token), std::int32_t(out.size())); };
        const auto symbols = byte_symbols();
        for (const char* end : {"", "</w>"})
            for (const unsigned char b : byte_order()) add(symbols[b] + end);
        for (const clip_merge& m : merges) add(m.left + m.right);
        add("<|startoftext|>");
        add("<|endoftext|>");
        return out;
    }

    result<void> take_vocabulary(const clip_tokenizer_parts& parts,
                                 std::unordered_map<std::string, std::int32_t>& ids) {
        const auto bad = [&](const std::string& why) {
            return failure(errc::bad_format, parts.vocabulary_name, ": ", why);
        };
        std::unordered_map<std::int32_t, const std::string*> by_id;
        for (const auto& [token, id] : parts.vocabulary) {
            if (id < 0 || id == (std::numeric_limits<std::int32_t>::max)())
                return bad("the id of " + shown(token) + " is " + std::to_string(id) + "; allowed: 0 to 2147483646");
            if (!ids.emplace(token, id).second) return bad("the token " + shown(token) + " occurs twice");
            if (const auto [at, fresh] = by_id.emplace(id, &token); !fresh)
                return bad(shown(*at->second) + " and " + shown(token) + " have the same id " + std::to_string(id));
            vocab_size_ = (std::max)(vocab_size_, id + 1);
        }
        return {};
    }

    /// The tokens in the order in which transformers adds them.
    static result<std::vector<clip_added_token>> to_be_added(const clip_tokenizer_parts& parts,
                                                             const std::unordered_map<std::string, std::int32_t>& ids) {
        std::vector<clip_added_token> all = parts.added_tokens;
        std::unordered_set<std::string_view> described;
        for (const clip_added_token& t : parts.added_tokens) described.insert(t.text);
        std::unordered_set<std::string> more; // texts with their flags
        const auto add = [&](const clip_added_token& t) {
            std::string key = t.text;
            for (const bool flag : {t.normalized, t.single_word, t.lstrip, t.rstrip}) key += flag ? '1' : '0';
            if (!described.contains(t.text) && more.insert(std::move(key)).second) all.push_back(t);
        };
        // A vocabulary without CLIP's own marks is incomplete. Other marks may have been added.
        const clip_tokenizer_parts usual;
        for (const auto& [name, member] : {std::pair{"bos_token", &clip_tokenizer_parts::bos_token},
                                           std::pair{"eos_token", &clip_tokenizer_parts::eos_token},
                                           std::pair{"unk_token", &clip_tokenizer_parts::unk_token},
                                           std::pair{"pad_token", &clip_tokenizer_parts::pad_token}}) {
            const std::string& text = (parts.*member).text;
            const bool known = ids.contains(text) || described.contains(text);
            if (text.empty() || (!known && text == (usual.*member).text))
                return failure(errc::bad_format, parts.vocabulary_name, ": lacks the ", name, ' ', shown(text));
        }
        for (const clip_added_token* t : {&parts.bos_token, &parts.eos_token, &parts.unk_token}) add(*t);
        if (parts.sep_token) add(*parts.sep_token);
        add(parts.pad_token);
        for (const auto* t : {&parts.cls_token, &parts.mask_token})
            if (*t) add(**t);
        for (const clip_added_token& t : parts.extra_tokens) add(t);
        return all;
    }

    result<void> take_added(const clip_tokenizer_parts& parts,
                            const std::unordered_map<std::string, std::int32_t>& ids) {
        const auto all = to_be_added(parts, ids);
        if (!all) return all.error();
        std::unordered_map<std::string_view, std::int32_t> known;
        // The number of tokens, as in the tokenizers library, or one past the last id that was added.
        auto next = std::int32_t(ids.size());
        for (const clip_added_token& t : *all) {
            if (t.text.empty()) continue;
            const auto [at, fresh] = known.emplace(t.text, next);
            if (const auto own = ids.find(t.text); fresh && own != ids.end()) at->second = own->second;
            if (at->second == (std::numeric_limits<std::int32_t>::max)())
                return failure(errc::bad_format, parts.vocabulary_name, ": leaves no id for the added token ",
                               shown(t.text));
            next = (std::max)(next, at->second + 1);
            added_[at->second] = t;
        }
        vocab_size_ = (std::max)(vocab_size_, next);
        const std::pair<const clip_added_token*, std::int32_t*> named[] = {
            {&parts.bos_token, &bos_}, {&parts.eos_token, &eos_}, {&parts.unk_token, &unk_}, {&parts.pad_token, &pad_}};
        for (const auto& [token, id] : named) *id = known[token->text];
        for (const auto& [id, token] : added_) {
            const std::u32string text = token.normalized ? clean_up(unicode::decode(token.text)) //
                                                         : unicode::decode(token.text);
            (token.normalized ? normalized_ : as_they_are_).add(text, token, id);
        }
        return {};
    }

    /// NFC, runs of white space as one space, lower case.
    static std::u32string clean_up(std::u32string_view text) {
        std::u32string out = unicode::nfc(text);
        for (char32_t& c : out)
            if (unicode::is_space(c)) c = U' ';
        out.erase(std::unique(out.begin(), out.end(), [](char32_t a, char32_t b) { return a == U' ' && b == U' '; }),
                  out.end());
        return unicode::lower(out);
    }

    void encode_words(std::u32string_view rest, std::vector<std::int32_t>& out) const {
        while (!rest.empty()) {
            if (rest[0] == U' ') {
                rest.remove_prefix(1);
            } else if (const std::size_t mark = mark_length(rest); mark > 0) {
                encode_word(rest.substr(0, 2), out);
                encode_word(rest.substr(2, mark - 4), out);
                encode_word(rest.substr(mark - 2, 2), out);
                rest.remove_prefix(mark);
            } else {
                const std::size_t length = word_length(rest);
                encode_word(rest.substr(0, length), out);
                rest.remove_prefix(length);
            }
        }
    }
    void encode_word(std::u32string_view word, std::vector<std::int32_t>& out) const {
        std::string bytes;
        for (const char32_t c : word) unicode::encode(c, bytes);
        pairs_.encode(bytes, out);
    }

    // A word is what CLIP's expression matches,
    //     <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
    // and then GPT-2's, which splits the first two, if they were written in capitals, into <|, the letters and |>.
    static std::size_t mark_length(std::u32string_view text) {
        for (const std::u32string_view mark : {U"<|startoftext|>", U"<|endoftext|>"})
            if (text.starts_with(mark)) return mark.size();
        return 0;
    }
    static std::size_t word_length(std::u32string_view text) {
        for (const std::u32string_view ending : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"})
            if (text.starts_with(ending)) return ending.size();
        if (unicode::is_number(text[0])) return 1;
        const bool letters = unicode::is_letter(text[0]);
        const auto end = std::find_if(text.begin(), text.end(), [&](char32_t c) {
            if (letters) return !unicode::is_letter(c);
            return c == U' ' || unicode::is_letter(c) || unicode::is_number(c);
        });
        return to_size(end - text.begin());
    }

    byte_pairs pairs_{};
    std::map<std::int32_t, clip_added_token> added_{};
    added_token_finder as_they_are_{}, normalized_{};
    std::int32_t bos_ = 0, eos_ = 0, unk_ = 0, pad_ = 0, vocab_size_ = 0;
    int model_max_length_ = 77;
};

#if APRIORI_DEFINITIONS
APRIORI_FUNCTION result<clip_tokens> clip_tokenizer::operator()(std::span<const std::string_view> texts,
                                                                int max_length) const {
    if (max_length == 0) max_length = model_max_length_;
    if (max_length < 2)
        return failure{errc::invalid_argument,
                       "max_length is " + std::to_string(max_length) + "; allowed: 2 or more, for the two marks"};
    const auto width = static_cast<std::size_t>(max_length);
    clip_tokens out{static_cast<index_t>(texts.size()), max_length};
    for (const std::string_view text : texts) {
        std::vector<std::int32_t> ids = encode(text);
        out.cut.push_back(ids.size() > width ? static_cast<index_t>(ids.size() - width) : 0);
        if (ids.size() > width) {
            ids.resize(width);
            ids.back() = eos_;
        }
        out.attention_mask.insert(out.attention_mask.end(), ids.size(), 1);
        out.attention_mask.insert(out.attention_mask.end(), width - ids.size(), 0);
        ids.resize(width, pad_);
        out.input_ids.insert(out.input_ids.end(), ids.begin(), ids.end());
    }
    return out;
}
#endif

} // namespace apriori
