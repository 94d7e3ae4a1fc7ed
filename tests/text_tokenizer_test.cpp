// SPDX-License-Identifier: Apache-2.0
// CLIP's tokenizer: the ids of transformers' CLIPTokenizer, arbitrary bytes as input, and untrusted files.
#include "apriori/io/clip_tokenizer_files.hpp"
#include "io_testing.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The number of basic blocks of this translation unit that have run: with -fsanitize-coverage=trace-pc each calls
/// this.
#if defined(__clang__)
#define APRIORI_TEST_UNTRACED __attribute__((no_sanitize("coverage")))
#else
#define APRIORI_TEST_UNTRACED __attribute__((no_sanitize_coverage))
#endif
static long steps = 0;
extern "C" APRIORI_TEST_UNTRACED void __sanitizer_cov_trace_pc() { ++steps; }

namespace {

using apriori::clip_tokenizer;
using apriori::clip_tokenizer_parts;
using apriori::errc;
using apriori::index_t;
using apriori::io::load_clip_tokenizer;
using io_testing::temporary_folder;
using ids = std::vector<std::int32_t>;

const std::filesystem::path openai = io_testing::data / "clip_tokenizer";
const std::filesystem::path digits = std::filesystem::path(APRIORI_DIGITS) / "tokenizer";

clip_tokenizer loaded(const std::filesystem::path& folder) {
    auto t = load_clip_tokenizer(folder);
    if (!t) throw std::runtime_error(t.error().message);
    return std::move(*t);
}
const clip_tokenizer& full() {
    static const clip_tokenizer t = loaded(openai);
    return t;
}

nlohmann::json read_json(const std::filesystem::path& path) {
    return nlohmann::json::parse(io_testing::read_all(path));
}

TEST(Tokenizer, GivesTheIdsOfTransformers) {
    const auto cases = read_json(openai / "expected.json");
    EXPECT_GE(cases.size(), 29U);
    for (const auto& item : cases.items()) EXPECT_EQ(full().encode(item.key()), item.value().get<ids>()) << item.key();
}

TEST(Tokenizer, VocabularyFollowsFromTheMerges) {
    EXPECT_EQ(full().vocab_size(), 49408);
    EXPECT_EQ(full().bos_token_id(), 49406);
    EXPECT_EQ(full().eos_token_id(), 49407);
    EXPECT_EQ(full().pad_token_id(), 49407);
    EXPECT_EQ(full().model_max_length(), 77);
}

TEST(Tokenizer, GivesTheIdsOfTheDigitsModel) {
    const clip_tokenizer t = loaded(digits);
    EXPECT_EQ(t.model_max_length(), 16);
    EXPECT_EQ(t.vocab_size(), 611);
    const auto cases = read_json(std::filesystem::path(APRIORI_DIGITS).parent_path() / "text_cases.json");
    EXPECT_GE(cases.size(), 10U);
    for (const auto& item : cases.items()) {
        const auto got = t(item.key());
        ASSERT_TRUE(got.ok()) << got.error().message;
        EXPECT_EQ(got->input_ids, item.value().get<ids>()) << item.key();
    }
}

TEST(Tokenizer, CutsPadsAndMasks) {
    const std::string_view texts[] = {"a photo of a cat", "", "a"};
    const auto got = full()(std::span(texts), 5);
    ASSERT_TRUE(got.ok()) << got.error().message;
    EXPECT_EQ(got->rows, 3);
    EXPECT_EQ(got->tokens, 5);
    const std::int32_t bos = 49406, eos = 49407;
    EXPECT_EQ(got->input_ids, (ids{bos, 320, 1125, 539, eos, bos, eos, eos, eos, eos, bos, 320, eos, eos, eos}));
    EXPECT_EQ(got->attention_mask, (std::vector<std::uint8_t>{1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0}));
    EXPECT_EQ(got->cut, (std::vector<index_t>{2, 0, 0}));
    EXPECT_EQ(full()("a")->tokens, 77);
    EXPECT_EQ(full()("a photo", 2)->input_ids, (ids{bos, eos}));
    EXPECT_FAILS(full()("a", 1), errc::invalid_argument, "max_length is 1; allowed: 2 or more");
    EXPECT_FAILS(full()("a", -5), errc::invalid_argument, "max_length is -5");
}

// Added tokens, with all flags, in all files from which transformers reads them.
TEST(Tokenizer, AddedTokensHaveTheIdsOfTransformers) {
    const auto recorded = read_json(openai / "added.json");
    EXPECT_GE(recorded["cases"].size(), 40U);
    for (const auto& one : recorded["cases"]) {
        const temporary_folder folder;
        const auto write = [&](const nlohmann::json& files) {
            for (const auto& [name, contents] : files.items())
                folder.write(name, contents.is_string() ? contents.get<std::string>() : contents.dump());
        };
        if (one["text_files"].get<bool>()) write(recorded["text_files"]);
        write(one["files"]);
        const auto t = load_clip_tokenizer(folder.path);
        ASSERT_TRUE(t.ok()) << one["name"] << ": " << t.error().message;
        for (const auto& [text, expected] : one["ids"].items())
            EXPECT_EQ(t->encode(text), expected.get<ids>()) << one["name"] << ": " << nlohmann::json(text);
    }
}

// Every id below was printed by transformers 5.23 for the same text.
TEST(Tokenizer, CleansUpAsTransformersDoes) {
    const auto middle = [](std::string_view text) {
        const ids all = full().encode(text);
        return ids(all.begin() + 1, all.end() - 1);
    };
    EXPECT_EQ(middle("<|ENDOFTEXT|>"), (ids{27, 347, 40786, 4160, 91, 285})); // not a special token: capitals
    EXPECT_EQ(middle("a<|endoftext|>b"), (ids{320, 49407, 321}));             // a special token without spaces
    EXPECT_EQ(middle("ΟΔΥΣΣΕΥΣ"),                                             // no final sigma
              (ids{138, 123, 138, 112, 139, 227, 139, 225, 139, 225, 138, 113, 139, 227, 139, 481}));
    EXPECT_EQ(middle("İ"), (ids{328, 16384})); // two characters
    EXPECT_EQ(middle("##"), ids{15483});       // a merge that begins with #
    EXPECT_EQ(middle("#:"), ids{30144});
    EXPECT_EQ(middle("A\u030A"), middle("\u212B")); // combining ring, angstrom sign: å
    EXPECT_EQ(middle("\u1100\u1161\u11A8"), middle("각"));
    EXPECT_EQ(middle("a\u2003\u00A0\u3000\r\n b"), middle("a b"));
}

TEST(Tokenizer, BytesThatAreNotUtf8AreReplacementCharacters) {
    const ids one = full().encode("\xEF\xBF\xBD"), two = full().encode("\xEF\xBF\xBD\xEF\xBF\xBD");
    ASSERT_NE(one, two);
    for (const char* text : {"\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98"}) EXPECT_EQ(full().encode(text), one);
    for (const char* text : {"\xC0\x80", "\xE0\x80", "\xF4\x90", "\x80\x80", "\xE2\x82\xE2\x82"})
        EXPECT_EQ(full().encode(text), two);
    const std::string_view zero("a\0b", 3); // a character like any other
    EXPECT_EQ(full().encode(zero).size(), 5U);
}

/// Random texts of every kind: bytes, characters, words, special tokens, endings, marks.
std::string random_text(std::mt19937& random) {
    static constexpr std::array<std::string_view, 24> pieces{
        "a",      "cat",    "Zürich", " ",      "\t\n", "'s",    "'LL", "''t",     "<|endoftext|>",
        "<|END",  "OFTEXT", "|>",     "1000",   "½",    "İ",     "ẞ",   "e\u0301", "\u0327\u0301",
        "\u1100", "\u1161", "👍🏽",   "\u200D", "!?.",  "\u00A0"};
    std::string text;
    for (auto n = random() % 20; n > 0; --n) switch (random() % 4) {
        case 0:
            text += static_cast<char>(random() % 256);
            break;
        case 1: {
            char32_t c = static_cast<char32_t>(random() % 0x110000);
            if (c >= 0xD800 && c < 0xE000) c = 0x41;
            apriori::unicode::encode(c, text);
            break;
        }
        default:
            text += pieces[random() % pieces.size()];
        }
    return text;
}

TEST(Tokenizer, TakesAnyBytes) {
    const clip_tokenizer small = loaded(digits);
    std::mt19937 random(1);
    for (int round = 0; round < 20000; ++round) {
        const std::string text = random_text(random);
        const clip_tokenizer& t = round % 2 == 0 ? full() : small;
        const ids all = t.encode(text);
        ASSERT_GE(all.size(), 2U);
        ASSERT_LE(all.size(), 4 * text.size() + 2); // a byte becomes at most one token, but U+FFFD has three bytes
        ASSERT_EQ(all.front(), t.bos_token_id());
        ASSERT_EQ(all.back(), t.eos_token_id());
        for (const std::int32_t id : all) ASSERT_TRUE(id >= 0 && id < t.vocab_size()) << id;
        const int length = 2 + static_cast<int>(random() % 30);
        const auto padded = t(text, length);
        ASSERT_TRUE(padded.ok()) << padded.error().message;
        ASSERT_EQ(padded->input_ids.size(), static_cast<std::size_t>(length));
        ASSERT_EQ(padded->attention_mask.size(), static_cast<std::size_t>(length));
        const auto used = std::min(all.size(), static_cast<std::size_t>(length));
        ASSERT_TRUE(
            std::equal(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(used) - 1, padded->input_ids.begin()));
        ASSERT_EQ(padded->input_ids[used - 1], t.eos_token_id());
        for (std::size_t i = 0; i < padded->attention_mask.size(); ++i)
            ASSERT_EQ(padded->attention_mask[i], i < used ? 1 : 0);
    }
}

/// A letter with that many combining marks, and a word of that many letters.
std::string marked(int marks) {
    std::string text = "a";
    for (int i = 0; i < marks; ++i) text += i % 2 == 0 ? "\u0301" : "\u0327";
    return text;
}
std::string word(unsigned letters) {
    std::string text;
    for (unsigned i = 0; i < letters; ++i) text += static_cast<char>('a' + i * i % 26);
    return text;
}

TEST(Tokenizer, LongTextsTakeStepsInProportion) {
    const auto steps_of = [](const std::string& text) {
        (void)full(); // makes the tokenizer first
        const long before = steps;
        EXPECT_GT(full().encode(text).size(), 1000U);
        return steps - before;
    };
    // For four times the length n log n takes 4.6 times the steps. It would take 16 times the steps if marks were
    // sorted by exchanging neighbours, or if the search for the best pair of letters started from the beginning each
    // time.
    EXPECT_GT(steps_of(word(10'000)), 100'000);
    EXPECT_LT(steps_of(word(40'000)), 6 * steps_of(word(10'000)));
    EXPECT_LT(steps_of(marked(40'000)), 6 * steps_of(marked(10'000)));
}

TEST(Tokenizer, LongTextsAreEncodedWhole) {
    // The marks in canonical order: the lower class first, and the mark next to the letter composed with it.
    std::string ordered = "\u00E1";
    for (int i = 0; i < 100'000; ++i) ordered += "\u0327";
    for (int i = 1; i < 100'000; ++i) ordered += "\u0301";
    EXPECT_EQ(full().encode(marked(200'000)), full().encode(ordered));
    EXPECT_GT(full().encode(word(400'000)).size(), 100'000U);
}

// ---- files ---------------------------------------------------------------------------------------------------------

/// A folder with a tokenizer of these files. An empty text means that there is no such file.
struct files {
    std::string merges = "#version: 0.2\na b</w>\n", vocabulary{}, config{}, map{}, added{};
};
auto load(const files& f) {
    const temporary_folder folder;
    folder.write("merges.txt", f.merges);
    if (!f.vocabulary.empty()) folder.write("vocab.json", f.vocabulary);
    if (!f.config.empty()) folder.write("tokenizer_config.json", f.config);
    if (!f.map.empty()) folder.write("special_tokens_map.json", f.map);
    if (!f.added.empty()) folder.write("added_tokens.json", f.added);
    return load_clip_tokenizer(folder.path);
}
/// A vocab.json with these tokens, numbered, and the special ones.
std::string vocabulary(std::initializer_list<const char*> tokens) {
    nlohmann::json out;
    int id = 0;
    for (const char* token : tokens) out[token] = id++;
    out["<|startoftext|>"] = id;
    out["<|endoftext|>"] = id + 1;
    return out.dump();
}

TEST(TokenizerFiles, SymbolsThatAVocabularyLacksAreUnknown) {
    const auto t = load({.vocabulary = vocabulary({"a", "b</w>", "ab</w>"})});
    ASSERT_TRUE(t.ok()) << t.error().message;
    EXPECT_EQ(t->encode("ab b"), (ids{3, 2, 1, 4}));
    EXPECT_EQ(t->encode("xb"), (ids{3, 4, 1, 4}));
    EXPECT_EQ(t->encode("é"), (ids{3, 4, 4, 4}));
}

TEST(TokenizerFiles, EmptyLastLinesAndWindowsLineEndsAreFine) {
    for (const char* merges : {"a b</w>", "a b</w>\n", "#version: 0.2\r\na b</w>\r\n\r\n", "a b</w>\n\n"}) {
        const auto t = load({.merges = merges});
        ASSERT_TRUE(t.ok()) << t.error().message;
        EXPECT_EQ(t->vocab_size(), 512 + 1 + 2);
        EXPECT_EQ(t->encode("ab"), (ids{513, 512, 514}));
    }
    EXPECT_EQ(load({.merges = ""})->vocab_size(), 514);
}

TEST(TokenizerFiles, BrokenMergesNameTheLine) {
    const auto bad = [](const std::string& line) { return load({.merges = "#version: 0.2\na b</w>\n" + line + "\n"}); };
    for (const char* line : {"ab", "a b c", "a  b", " a", "a ", " "})
        EXPECT_FAILS(bad(line), errc::bad_format, "merges.txt:3: is '");
    EXPECT_FAILS(load({.merges = "a b</w>\n\na c\n"}), errc::bad_format, "merges.txt:2: is '', not two tokens");
    EXPECT_FAILS(bad("a \xFF"), errc::bad_format, "merges.txt:3: is not UTF-8");
    EXPECT_FAILS(bad(std::string("\0\0 \x1b[2J", 7)), errc::bad_format, "merges.txt:3: takes \"");
    EXPECT_FAILS(bad("qq r"), errc::bad_format,
                 "merges.txt:3: takes \"qq\", which is not in the vocabulary that follows");
    EXPECT_FAILS(bad("q\xC2\x9B r"), errc::bad_format, "merges.txt:3: takes \"q?\"");
    std::string euros; // not cut inside a character
    for (int i = 0; i < 100; ++i) euros += "\u20AC";
    EXPECT_FAILS(bad(euros + " r"), errc::bad_format, "takes \"" + euros.substr(0, 240) + "...\"");
    // one vocabulary entry for each merge
    EXPECT_FAILS(bad("a b</w>"), errc::bad_format, "the token \"ab</w>\" occurs twice");
    const temporary_folder empty;
    EXPECT_FAILS(load_clip_tokenizer(empty.path), errc::not_found, "merges.txt");
}

TEST(TokenizerFiles, AVocabularyThatDoesNotFitIsRefused) {
    EXPECT_FAILS(load({.vocabulary = vocabulary({"a", "b</w>"})}), errc::bad_format,
                 "merges.txt:2: makes \"ab</w>\", which is not in ");
    EXPECT_FAILS(load({.vocabulary = vocabulary({"a", "ab</w>"})}), errc::bad_format, "merges.txt:2: takes \"b</w>\"");
    EXPECT_FAILS(load({.vocabulary = "{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2}"}), errc::bad_format,
                 "vocab.json: lacks the bos_token \"<|startoftext|>\"");
    EXPECT_FAILS(load({.vocabulary = "{\"a\": 0, \"b\": 0}"}), errc::bad_format, "have the same id 0");
    for (const char* id : {"-1", "1.5", "\"1\"", "2147483647", "1e3", "null", "[]"})
        EXPECT_FAILS(load({.vocabulary = "{\"a\": " + std::string(id) + "}"}), errc::bad_format,
                     "vocab.json: the id of 'a' is ");
    for (const char* text : {"[]", "3", "{}", "null"})
        EXPECT_FAILS(load({.vocabulary = text}), errc::bad_format, "not an object of tokens and ids");
    EXPECT_FAILS(load({.vocabulary = "{\"a\": 0, \"a\": 1}"}), errc::bad_format, "occurs twice");
    EXPECT_FAILS(load({.vocabulary = "{\"a\": "}), errc::bad_format, "vocab.json:1:");
}

TEST(TokenizerFiles, ConfigSetsTheSpecialTokens) {
    // The pad token of SDXL's second tokenizer: "!" becomes a separate token in every text.
    const auto t = load({.config = R"({"pad_token": "!", "model_max_length": 8, "errors": "replace"})"});
    ASSERT_TRUE(t.ok()) << t.error().message;
    EXPECT_EQ(t->model_max_length(), 8);
    EXPECT_EQ((*t)("ab!")->input_ids, (ids{513, 512, 0, 514, 0, 0, 0, 0}));
    // A normalized token is searched for after clean-up.
    const auto n = load({.config = R"({"unk_token": {"content": "<|endoftext|>", "normalized": true},
                                       "pad_token": {"content": "<|endoftext|>", "normalized": true}})"});
    ASSERT_TRUE(n.ok()) << n.error().message;
    EXPECT_EQ(n->encode("ab<|ENDOFTEXT|>"), (ids{513, 512, 514, 514}));
    // If several tokens have the same text, the last one that differs is used; added_tokens_decoder has precedence over
    // all.
    const auto last = load({.config = R"({"unk_token": {"content": "<|endoftext|>", "normalized": true}})"});
    EXPECT_EQ(last->encode("<|ENDOFTEXT|>").size(), 3U);
    const auto map = load({.map = R"({"pad_token": {"content": "<|endoftext|>", "normalized": true}})"});
    EXPECT_EQ(map->encode("<|ENDOFTEXT|>").size(), 3U);
    const auto added =
        load({.config = R"({"added_tokens_decoder": {"514": {"content": "<|endoftext|>", "normalized": true}}})"});
    EXPECT_EQ(added->encode("<|ENDOFTEXT|>").size(), 3U);
}

TEST(TokenizerFiles, AddedTokensTakeTimeInProportion) {
    const auto spaces =
        load({.config = R"({"added_tokens_decoder": {"515": {"content": " ", "lstrip": true, "rstrip": true}}})"});
    ASSERT_TRUE(spaces.ok()) << spaces.error().message;
    EXPECT_EQ(spaces->encode(std::string(1'000'000, ' ')).size(), 3U);
    nlohmann::json many;
    for (int i = 0; i < 20'000; ++i) many["<token-" + std::to_string(i) + ">"] = 515 + i;
    const auto t = load({.added = many.dump()});
    ASSERT_TRUE(t.ok()) << t.error().message;
    EXPECT_EQ(t->vocab_size(), 515 + 20'000);
    EXPECT_EQ(t->name_of(t->encode("<token-77>")[1]), "\"<token-77>\"");
    EXPECT_EQ(t->name_of(0), "0");
    std::string text;
    for (int i = 0; i < 200'000; ++i) text += "ab ";
    EXPECT_EQ(t->encode(text).size(), 200'002U);
}

TEST(TokenizerFiles, ABrokenConfigIsRefused) {
    EXPECT_FAILS(load({.config = R"({"pad_token": 3})"}), errc::bad_format,
                 "tokenizer_config.json: field 'pad_token' is 3; allowed: a text, or an object");
    EXPECT_FAILS(load({.config = R"({"pad_token": {"text": "x"}})"}), errc::bad_format, "field 'pad_token'");
    EXPECT_FAILS(load({.config = R"({"pad_token": ""})"}), errc::bad_format, "lacks the pad_token \"\"");
    for (const char* key : {"", "x", "-1", "1.5", "2147483647"})
        EXPECT_FAILS(
            load({.config = R"({"added_tokens_decoder": {")" + std::string(key) + R"(": {"content": "<x>"}}})"}),
            errc::bad_format, "tokenizer_config.json: added_tokens_decoder: the key '");
    EXPECT_FAILS(load({.config = R"({"added_tokens_decoder": {"9": {"text": "<x>"}}})"}), errc::bad_format,
                 "tokenizer_config.json: added_tokens_decoder '9' is ");
    for (const char* list : {"3", "\"<x>\"", "[3]", "[null]"})
        EXPECT_FAILS(load({.config = "{\"additional_special_tokens\": " + std::string(list) + "}"}), errc::bad_format,
                     "field 'additional_special_tokens'");
    for (const char* id : {"-1", "1.5", "\"9\"", "2147483647", "null"})
        EXPECT_FAILS(load({.added = "{\"<x>\": " + std::string(id) + "}"}), errc::bad_format,
                     "added_tokens.json: the id of '<x>' is ");
    EXPECT_FAILS(load({.added = "[]"}), errc::bad_format, "added_tokens.json: is [], not an object");
    EXPECT_FAILS(load({.merges = "",
                       .vocabulary = "{\"a\": 2147483646, \"<|startoftext|>\": 0, \"<|endoftext|>\": 1}",
                       .added = R"({"a": 1, "<x>": 2})"}),
                 errc::bad_format, "vocab.json: leaves no id for the added token \"<x>\"");
    for (const char* n : {"1", "-7", "2.5", "\"77\"", "true"})
        EXPECT_FAILS(load({.config = "{\"model_max_length\": " + std::string(n) + "}"}), errc::invalid_argument,
                     "field 'model_max_length' is ");
    EXPECT_EQ(load({.config = R"({"model_max_length": 1000000000000000019884624838656})"})->model_max_length(), 77);
    EXPECT_FAILS(load({.config = "[]"}), errc::bad_format, "not an object");
    EXPECT_FAILS(load({.map = "{\"pad_token\": []}"}), errc::bad_format, "special_tokens_map.json: field 'pad_token'");
}

TEST(TokenizerFiles, TokenizerJsonAloneServes) {
    const auto load_json = [](std::string text, const char* from = "", const char* to = "") {
        if (const auto at = text.find(from); *from != 0 && at != std::string::npos)
            text.replace(at, std::string_view(from).size(), to);
        const temporary_folder folder;
        folder.write("tokenizer.json", text);
        return load_clip_tokenizer(folder.path);
    };
    const std::string good = R"({"version": "1.0", "added_tokens": [
        {"id": 3, "content": "<|startoftext|>", "normalized": false, "special": true},
        {"id": 4, "content": "<|endoftext|>", "normalized": true, "special": true}], "normalizer": {},
        "model": {"type": "BPE", "end_of_word_suffix": "</w>", "unk_token": "<|endoftext|>", "merges": [["a", "b</w>"]],
                  "vocab": {"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4}}})";
    const auto t = load_json(good);
    ASSERT_TRUE(t.ok()) << t.error().message;
    EXPECT_EQ(t->encode("ab b <|ENDOFTEXT|>"), (ids{3, 2, 1, 4, 4}));
    EXPECT_EQ(load_json(good, R"(["a", "b</w>"])", R"("a b</w>")")->encode("ab"), (ids{3, 2, 4}));
    for (const char* merge : {R"(["a"])", R"("a")", R"("a b c")", R"(["a", 1])", "3"})
        EXPECT_FAILS(load_json(good, R"(["a", "b</w>"])", merge), errc::bad_format, "tokenizer.json: merges:1: is ");
    EXPECT_FAILS(load_json(good, R"("ab</w>": 2)", R"("abc": 2)"), errc::bad_format,
                 "tokenizer.json: merges:1: makes \"ab</w>\", which is not in ");
    EXPECT_FAILS(load_json(good, "BPE", "Unigram"), errc::unsupported, "'model' is not CLIP's");
    EXPECT_FAILS(load_json(good, "</w>", ""), errc::unsupported, "'model' is not CLIP's");
    EXPECT_FAILS(load_json(good, "\"vocab\"", "\"v\""), errc::bad_format, "tokenizer.json: vocab: is null");
    EXPECT_FAILS(load_json(good, "\"merges\"", "\"m\""), errc::bad_format, "tokenizer.json: merges: is not an array");
    EXPECT_FAILS(load_json("[]"), errc::bad_format, "not an object");
    // With merges.txt only, tokenizer.json provides the vocabulary; with both text files, at most the added tokens.
    const temporary_folder folder;
    folder.write("tokenizer.json", good);
    folder.write("merges.txt", "a b c\n");
    EXPECT_EQ(load_clip_tokenizer(folder.path)->encode("ab b <|ENDOFTEXT|>"), (ids{3, 2, 1, 4, 4}));
    folder.write("vocab.json", vocabulary({"b", "a</w>", "ba</w>"}));
    folder.write("merges.txt", "b a</w>\n");
    EXPECT_EQ(load_clip_tokenizer(folder.path)->encode("ba <|ENDOFTEXT|>"), (ids{3, 2, 4, 4}));
}

TEST(TokenizerFiles, ADamagedTokenizerJsonNeverCrashes) {
    std::mt19937 random(3);
    const std::string good =
        R"({"added_tokens": [{"id": 7, "content": "<x>", "lstrip": true, "rstrip": true, "special": false},
        {"id": 8, "content": "a", "single_word": true, "normalized": true}], "model": {"type": "BPE",
        "end_of_word_suffix": "</w>", "merges": [["a", "b</w>"]],
        "vocab": {"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4}}})";
    int loads = 0;
    for (int round = 0; round < 1000; ++round) {
        std::string text = good;
        for (auto n = random() % 3; n > 0; --n) {
            const std::size_t at = random() % text.size();
            if (random() % 2 == 0)
                text[at] = static_cast<char>(random() % 256);
            else
                text.erase(at, 1 + random() % 4);
        }
        const temporary_folder folder;
        folder.write("tokenizer.json", text);
        const auto t = load_clip_tokenizer(folder.path);
        if (!t) {
            io_testing::expect_one_line(t.error().message);
            continue;
        }
        ++loads;
        for (const std::int32_t id : t->encode("ab  <x>  a <|endoftext|> ab\xFF"))
            ASSERT_TRUE(id >= 0 && id < t->vocab_size()) << id;
    }
    EXPECT_GT(loads, 200);
    EXPECT_LT(loads, 990);
}

TEST(TokenizerFiles, DamagedFilesNeverCrash) {
    std::mt19937 random(2);
    const files good{"#version: 0.2\na b</w>\na b\nab c</w>\n",
                     vocabulary({"a", "b", "c</w>", "b</w>", "ab</w>", "ab", "abc</w>"}),
                     R"({"pad_token": "a", "model_max_length": 8})", R"({"unk_token": {"content": "<|endoftext|>"}})",
                     R"({"<x>": 9, "<y": 10})"};
    ASSERT_TRUE(load(good).ok()) << load(good).error().message;
    int loads = 0;
    for (int round = 0; round < 2000; ++round) {
        files f = good;
        std::string* const all[] = {&f.merges, &f.vocabulary, &f.config, &f.map, &f.added};
        std::string& text = *all[random() % 5];
        for (auto n = 1 + random() % 3; n > 0 && !text.empty(); --n) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
            case 0:
                text[at] = static_cast<char>(random() % 256);
                break;
            case 1:
                text.erase(at, 1 + random() % 4);
                break;
            default:
                text.insert(at, text.substr(random() % text.size(), random() % 6));
            }
        }
        const auto t = load(f);
        if (!t) {
            io_testing::expect_one_line(t.error().message);
            continue;
        }
        ++loads;
        for (const std::int32_t id : t->encode("abc ab <|endoftext|> <x> b\xFF"))
            ASSERT_TRUE(id >= 0 && id < t->vocab_size()) << id;
    }
    EXPECT_GT(loads, 50);
    EXPECT_LT(loads, 1950);
}

} // namespace
