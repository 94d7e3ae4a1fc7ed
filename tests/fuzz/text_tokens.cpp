// SPDX-License-Identifier: Apache-2.0
// Any bytes as a text, for OpenAI's tokenizer: the ids are in the vocabulary, between the special tokens, and are cut
// or padded to the width.
#include "apriori/io/clip_tokenizer_files.hpp"
#include "fuzzing.hpp"

#include <algorithm>

using namespace apriori;
using namespace fuzzing;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto tokenizer = io::load_clip_tokenizer(FUZZ_TOKENIZER);
    require(tokenizer.ok(), "the tokenizer is there");
    const std::string_view words = text(data, size);

    const auto ids = tokenizer->encode(words);
    require(ids.size() >= 2 && ids.front() == tokenizer->bos_token_id() && ids.back() == tokenizer->eos_token_id(),
            "ids stand between the marks");
    // NFC makes at most three code points of one, and a code point has at most four bytes.
    require(ids.size() <= 2 + 12 * size, "a text has no more ids than bytes");
    for (const std::int32_t id : ids) require(id >= 0 && id < tokenizer->vocab_size(), "an id is in the vocabulary");

    const auto batch = (*tokenizer)(words);
    require(batch.ok() && batch->tokens == 77 && batch->input_ids.size() == 77 && batch->attention_mask.size() == 77,
            "a text fills the width");
    const std::size_t seen = std::min<std::size_t>(ids.size(), 77);
    require(std::size_t(batch->cut.front()) == ids.size() - seen, "what is cut is counted");
    require(std::equal(ids.begin(), ids.begin() + std::ptrdiff_t(seen) - 1, batch->input_ids.begin()),
            "the front stays");
    require(batch->input_ids[seen - 1] == tokenizer->eos_token_id(), "the last token is the end");
    for (std::size_t i = 0; i < 77; ++i) require((batch->attention_mask[i] != 0) == (i < seen), "the mask ends there");

    // In ASCII, case does not change ids, unless the text contains a special token.
    if (words.find('<') == words.npos && std::all_of(words.begin(), words.end(), [](char c) { return c >= 0; })) {
        std::string upper(words);
        for (char& c : upper) c = c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
        require(tokenizer->encode(upper) == ids, "capitals have the ids of small letters");
    }
    return 0;
}
