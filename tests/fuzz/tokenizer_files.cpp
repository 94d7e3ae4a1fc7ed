// SPDX-License-Identifier: Apache-2.0
// A folder of tokenizer files, in one input with lines of dashes between them. If it is accepted, it encodes texts to
// ids of its vocabulary.
#include "apriori/io/clip_tokenizer_files.hpp"
#include "fuzzing.hpp"

#include <fstream>

using namespace apriori;
using namespace fuzzing;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const memory_folder folder;
    std::string_view rest = text(data, size);
    for (const char* name :
         {"merges.txt", "vocab.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"}) {
        const std::string_view part = take_part(rest, "\n----\n");
        std::filesystem::remove(folder.path / name);
        if (!part.empty()) std::ofstream(folder.path / name, std::ios::binary) << part;
    }
    const auto tokenizer = io::load_clip_tokenizer(folder.path);
    if (!tokenizer) return refused(tokenizer.error());

    const auto width = tokenizer->model_max_length();
    require(width >= 2 && width < 1'000'000, "a length is one that a model may have");
    const auto below = [&](std::int32_t id) { return id >= 0 && id < tokenizer->vocab_size(); };
    require(below(tokenizer->bos_token_id()) && below(tokenizer->eos_token_id()) && below(tokenizer->pad_token_id()),
            "the marks are in the vocabulary");
    for (const std::int32_t id : tokenizer->encode("An owl's 2 EYES, \xC3\xA9\xFF <|endoftext|> <|StartOfText|>!"))
        require(below(id), "an id is in the vocabulary");
    return 0;
}
