// SPDX-License-Identifier: Apache-2.0
// The tokenizer of the page, and the functions of the C++ library that it replaces.
#include "words.hpp"

#include "apriori/text/clip_tokenizer.hpp"

#include <algorithm>

using namespace apriori;

extern "C" const unsigned char digits_merges[], digits_merges_end[]; // apriori_link_file

namespace {

/// With merges only, the vocabulary is OpenAI's, which is also that of the digits.
result<clip_tokenizer> make_tokenizer() {
    clip_tokenizer_parts parts{.model_max_length = tokens};
    std::string_view rest(reinterpret_cast<const char*>(digits_merges), std::size_t(digits_merges_end - digits_merges));
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix((std::min)(line.size() + 1, rest.size()));
        const std::size_t space = line.find(' ');
        if (line.empty() || line.starts_with('#')) continue;
        parts.merges.push_back({std::string(line.substr(0, space)), std::string(line.substr(space + 1))});
    }
    return clip_tokenizer::make(std::move(parts));
}

} // namespace

status tokenize(std::string_view text, token_row& out) {
    static const result<clip_tokenizer> tokenizer = make_tokenizer();
    if (!tokenizer) return {errc::bad_format, "the tokenizer's merges are damaged; build the page again"};
    const auto row = (*tokenizer)(text);
    if (!row) return {row.error().code, "the text cannot be tokenized"};
    std::ranges::copy(row->input_ids, out.ids);
    std::ranges::copy(row->attention_mask, out.mask);
    out.cut = int(row->cut[0]);
    return {};
}

// libc++ and libc++abi end here where they would throw, with a text that nobody would read: this way the program needs
// no stdio.
[[noreturn]] void std::__libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
extern "C" [[noreturn]] void abort_message(const char*, ...) { __builtin_trap(); }
