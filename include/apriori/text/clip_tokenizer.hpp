// SPDX-License-Identifier: Apache-2.0
// CLIP's tokenizer: the ids of transformers' CLIPTokenizer. Its files are read in io/clip_tokenizer_files.hpp.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/text/byte_pairs.hpp"
#include "apriori/text/unicode.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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

/// A token that stands for itself in a text, and is not divided: transformers' AddedToken.
struct clip_special_token {
    std::string text{};
    bool normalized = false; ///< looked for after clean-up, so that capitals are the same; else in the text as it is
};

/// What a tokenizer is made of.
struct clip_tokenizer_parts {
    std::vector<clip_merge> merges{};
    /// Token and id. Empty: OpenAI's, which follows from the merges: the bytes, the bytes with `</w>`, what the merges make,
    /// `<|startoftext|>`, `<|endoftext|>`.
    std::vector<std::pair<std::string, std::int32_t>> vocabulary{};
    /// Of those with the same text the last one says whether it is normalized; `added_tokens` before all.
    clip_special_token bos_token{"<|startoftext|>"}, eos_token{"<|endoftext|>"};
    clip_special_token unk_token{"<|endoftext|>"}, pad_token{"<|endoftext|>"};
    std::vector<clip_special_token> added_tokens{};
    int model_max_length = 77;
    /// Where the merges and the vocabulary are from, for messages.
    std::string merges_name = "merges.txt", vocabulary_name = "vocab.json";
};

/// Ids and mask of some texts, as the text encoder takes them.
struct clip_tokens {
    index_t rows = 0, tokens = 0;
    std::vector<std::int32_t> input_ids{};      ///< [rows, tokens]
    std::vector<std::uint8_t> attention_mask{}; ///< [rows, tokens], 1 up to the end mark, 0 for padding
    std::vector<index_t> cut{};                 ///< [rows] how many tokens of each text did not fit
};

/// Byte-pair encoding with CLIP's clean-up: NFC, lower case, then words, single digits and runs of other characters.
/// Bytes that are not UTF-8 count as U+FFFD. Special tokens in a text stand for themselves.
class clip_tokenizer {
public:
    /// Fails with bad_format, naming file and line, where a merge makes or takes what the vocabulary lacks, an id occurs
    /// twice or is negative, or a special token is not in the vocabulary.
    static result<clip_tokenizer> make(clip_tokenizer_parts parts) {
        clip_tokenizer t;
        std::unordered_map<std::string, std::int32_t> ids;
        if (parts.vocabulary.empty()) parts.vocabulary = derived(parts.merges);
        if (auto s = t.take_vocabulary(parts, ids); !s) return s.error();
        if (auto s = t.take_special(parts, ids); !s) return s.error();
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

    /// Ids of a text with the start and end marks: neither cut nor padded.
    std::vector<std::int32_t> encode(std::string_view text) const {
        std::vector<std::int32_t> out{bos_};
        for_each_part(text, specials_, out, [&](std::string_view raw) {
            const std::u32string clean = clean_up(raw);
            for_each_part(std::u32string_view(clean), normalized_, out,
                          [&](std::u32string_view words) { encode_words(words, out); });
        });
        out.push_back(eos_);
        return out;
    }

    /// Texts cut and padded to max_length tokens, marks included; 0: model_max_length(). invalid_argument below 2, where
    /// there is no room for the marks.
    result<clip_tokens> operator()(std::span<const std::string_view> texts, int max_length = 0) const;
    result<clip_tokens> operator()(std::string_view text, int max_length = 0) const {
        return (*this)(std::span<const std::string_view>(&text, 1), max_length);
    }

    /// Every id is below this.
    std::int32_t vocab_size() const noexcept { return vocab_size_; }
    std::int32_t bos_token_id() const noexcept { return bos_; }
    std::int32_t eos_token_id() const noexcept { return eos_; }
    std::int32_t pad_token_id() const noexcept { return pad_; }
    int model_max_length() const noexcept { return model_max_length_; }

private:
    template <class Text>
    struct special {
        Text text;
        std::int32_t id;
    };

    /// A token from a file in quotes, for a message: control characters as ?, and not too long.
    static std::string shown(const std::string& token) {
        std::string out(1, '"'); // "literal" + string makes gcc 12 see overlaps (its bug 105651)
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
            if (id < 0 || id == std::numeric_limits<std::int32_t>::max())
                return bad("the id of " + shown(token) + " is " + std::to_string(id) + "; allowed: 0 to 2147483646");
            if (!ids.emplace(token, id).second) return bad("the token " + shown(token) + " occurs twice");
            if (const auto [at, fresh] = by_id.emplace(id, &token); !fresh)
                return bad(shown(*at->second) + " and " + shown(token) + " have the same id " + std::to_string(id));
            vocab_size_ = std::max(vocab_size_, id + 1);
        }
        return {};
    }

    result<void> take_special(const clip_tokenizer_parts& parts,
                              const std::unordered_map<std::string, std::int32_t>& ids) {
        std::vector<std::pair<const char*, const clip_special_token*>> all{{"bos_token", &parts.bos_token},
                                                                           {"eos_token", &parts.eos_token},
                                                                           {"unk_token", &parts.unk_token},
                                                                           {"pad_token", &parts.pad_token}};
        for (const clip_special_token& t : parts.added_tokens) all.emplace_back("added token", &t);
        std::vector<bool> repeated(all.size()); // later
        std::unordered_set<std::string_view> later;
        for (std::size_t i = all.size(); i-- > 0;) repeated[i] = !later.insert(all[i].second->text).second;
        std::int32_t* const to[] = {&bos_, &eos_, &unk_, &pad_};
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto& [name, token] = all[i];
            const auto at = ids.find(token->text);
            if (token->text.empty() || at == ids.end())
                return failure(errc::bad_format, parts.vocabulary_name, ": lacks the ", name, ' ', shown(token->text));
            if (i < 4) *to[i] = at->second;
            if (repeated[i]) continue;
            if (token->normalized)
                normalized_.push_back({clean_up(token->text), at->second});
            else
                specials_.push_back({token->text, at->second});
        }
        const auto longest_first = [](const auto& a, const auto& b) { return a.text.size() > b.text.size(); };
        std::stable_sort(specials_.begin(), specials_.end(), longest_first);
        std::stable_sort(normalized_.begin(), normalized_.end(), longest_first);
        return {};
    }

    /// The id of each special token in `text`, appended, and `other` called for what is between them.
    static void for_each_part(auto text, const auto& specials, std::vector<std::int32_t>& out, auto&& other) {
        std::size_t begin = 0;
        for (std::size_t i = 0; i < text.size();) {
            const auto s = std::find_if(specials.begin(), specials.end(),
                                        [&](const auto& one) { return text.substr(i).starts_with(one.text); });
            if (s == specials.end()) {
                ++i;
                continue;
            }
            if (i > begin) other(text.substr(begin, i - begin));
            out.push_back(s->id);
            begin = i += s->text.size();
        }
        if (begin < text.size()) other(text.substr(begin));
    }

    /// NFC, one space for white space, lower case.
    static std::u32string clean_up(std::string_view text) {
        std::u32string out = unicode::nfc(unicode::decode(text));
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
    // and then GPT-2's, which divides the first two, written in capitals, into <|, the letters and |>.
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
    // The longest first.
    std::vector<special<std::string>> specials_{};
    std::vector<special<std::u32string>> normalized_{};
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
