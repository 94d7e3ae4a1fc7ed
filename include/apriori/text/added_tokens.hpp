// SPDX-License-Identifier: Apache-2.0
// Tokens that were added to a tokenizer, and how they are found in a text: the rules of the tokenizers library.
#pragma once

#include "apriori/text/unicode.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace apriori {

/// A token that stands for itself in a text and is not split: transformers' AddedToken.
struct clip_added_token {
    std::string text{};
    bool normalized = false;  ///< matched after clean-up, so in any case of letters; otherwise in the original text
    bool single_word = false; ///< not matched next to a letter, a digit or _
    bool lstrip = false;      ///< includes the white space before it
    bool rstrip = false;      ///< includes the white space after it

    bool operator==(const clip_added_token&) const = default;
};

/// Splits texts at added tokens.
class added_token_finder {
public:
    /// `text`, not empty, is the text to match. Of equal texts the first one counts.
    void add(const std::u32string& text, const clip_added_token& token, std::int32_t id) {
        lengths_[text.front()].insert(text.size());
        tokens_.emplace(text, entry{token, id});
    }

    /// Appends the id of each token in `text` to `out`, and calls other(text) for what is between them. Of tokens that
    /// begin at one place the longest is taken. If it must be a whole word and is not, its text is not searched again.
    void split(std::u32string_view text, std::vector<std::int32_t>& out, auto&& other) const {
        std::size_t done = 0, space_until = 0;
        for (std::size_t i = 0; i < text.size();) {
            const auto found = longest_at(text.substr(i));
            if (found == tokens_.end()) {
                ++i;
                continue;
            }
            const clip_added_token& token = found->second.token;
            std::size_t begin = i, end = i + found->first.size();
            i = end;
            const bool inside =
                (begin > 0 && unicode::is_word(text[begin - 1])) || (end < text.size() && unicode::is_word(text[end]));
            if (token.single_word && inside) continue;
            if (token.lstrip) {
                while (begin > done && unicode::is_space(text[begin - 1])) --begin;
                begin = (std::max)(begin, done);
            }
            if (token.rstrip) {
                end = (std::max)(end, space_until); // keeps time linear if each of n spaces is a token
                while (end < text.size() && unicode::is_space(text[end])) ++end;
                space_until = end;
            }
            if (begin > done) other(text.substr(done, begin - done));
            // A token of white space may lie inside what other tokens have taken: it counts again, unless nothing of it
            // is left.
            if (begin < end) out.push_back(found->second.id);
            done = end;
        }
        if (done < text.size()) other(text.substr(done));
    }

private:
    struct entry {
        clip_added_token token{};
        std::int32_t id = 0;
    };
    using tokens = std::map<std::u32string, entry, std::less<>>;

    tokens::const_iterator longest_at(std::u32string_view text) const {
        const auto lengths = lengths_.find(text.front());
        if (lengths == lengths_.end()) return tokens_.end();
        for (const std::size_t n : lengths->second)
            if (n <= text.size())
                if (const auto found = tokens_.find(text.substr(0, n)); found != tokens_.end()) return found;
        return tokens_.end();
    }

    tokens tokens_{};
    std::map<char32_t, std::set<std::size_t, std::greater<>>> lengths_{}; ///< by first character
};

} // namespace apriori
