// SPDX-License-Identifier: Apache-2.0
// safetensors: a file reads as it was written, and no invalid header is accepted, crashes the reader or goes without a
// message.
#include "apriori/core/check_tensors.hpp"
#include "apriori/io/config_json.hpp"
#include "apriori/io/json_fields.hpp"
#include "apriori/io/linked_source.hpp"
#include "apriori/io/npy.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "io_testing.hpp"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace {

using namespace apriori::io;
using apriori::errc;
using apriori::tensor_info;
using io_testing::bytes_of;
using io_testing::image;
using io_testing::raw;
using io_testing::temporary_folder;
using io_testing::values;

auto parse(std::string_view bytes) { return safetensors_view::parse(bytes_of(bytes), "f.safetensors"); }

/// An image of one tensor "a" with the entry `entry`.
std::string one(const std::string& entry, std::string_view body = {}) { return image("{\"a\":" + entry + "}", body); }

// ---- reading ----

TEST(Safetensors, ReadsEveryDtypeAsFloat) {
    // F32 begins at an odd address: the format does not align data.
    const std::string body = raw<std::uint8_t>({0, 1, 200}) + raw<float>({1.5F, -2.0F}) +
                             raw<std::uint16_t>({0x3C00, 0x0001}) + raw<std::uint16_t>({0x3F80, 0xC000}) +
                             raw<double>({0.1}) + raw<std::int64_t>({-5, 1LL << 40}) + raw<std::int32_t>({-7}) +
                             raw<std::uint8_t>({0, 1});
    const std::string bytes = image(R"({"u8":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                                    R"("f32":{"dtype":"F32","shape":[1,2],"data_offsets":[3,11]},)"
                                    R"("f16":{"dtype":"F16","shape":[2],"data_offsets":[11,15]},)"
                                    R"("bf16":{"dtype":"BF16","shape":[2],"data_offsets":[15,19]},)"
                                    R"("f64":{"dtype":"F64","shape":[],"data_offsets":[19,27]},)"
                                    R"("i64":{"dtype":"I64","shape":[2],"data_offsets":[27,43]},)"
                                    R"("i32":{"dtype":"I32","shape":[1],"data_offsets":[43,47]},)"
                                    R"("bool":{"dtype":"BOOL","shape":[2],"data_offsets":[47,49]},)"
                                    R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[49,49]},)"
                                    R"("__metadata__":{"format":"pt","by":"hand"}}  )",
                                    body);
    const auto source = parse(bytes);
    ASSERT_TRUE(source.ok()) << source.error().message;
    EXPECT_EQ(source->size(), 9U);
    using list = std::vector<float>;
    EXPECT_EQ(values(*source, "u8"), (list{0, 1, 200}));
    EXPECT_EQ(values(*source, "f32"), (list{1.5F, -2.0F}));
    EXPECT_EQ(values(*source, "f16"), (list{1.0F, 0x1p-24F}));
    EXPECT_EQ(values(*source, "bf16"), (list{1.0F, -2.0F}));
    EXPECT_EQ(values(*source, "f64"), (list{0.1F}));
    EXPECT_EQ(values(*source, "i64"), (list{-5.0F, 0x1p40F}));
    EXPECT_EQ(values(*source, "i32"), (list{-7.0F}));
    EXPECT_EQ(values(*source, "bool"), (list{0.0F, 1.0F}));
    EXPECT_EQ(values(*source, "none"), list{});
    EXPECT_FALSE(source->find("u9"));
    EXPECT_EQ(source->metadata(), (std::vector<std::pair<std::string, std::string>>{{"by", "hand"}, {"format", "pt"}}));

    const auto i64 = source->find("i64").value();
    EXPECT_EQ(source->dtype(i64), element_type::i64);
    ASSERT_EQ(source->bytes(i64).size(), 16U);
    std::int64_t second = 0;
    std::memcpy(&second, source->bytes(i64).data() + 8, 8);
    EXPECT_EQ(second, 1LL << 40);
    EXPECT_EQ(source->info(source->find("f32").value()).rank, 2);
    EXPECT_EQ(source->info(source->find("f64").value()).size(), 1);
}

TEST(Safetensors, ReadsPiecesAndRefusesWhatLiesBeyond) {
    const std::string bytes = one(R"({"dtype":"F32","shape":[2,2],"data_offsets":[0,16]})", raw<float>({1, 2, 3, 4}));
    const auto source = parse(bytes);
    ASSERT_TRUE(source.ok());
    std::vector<float> two(2);
    ASSERT_TRUE(source->read(0, 1, two).ok());
    EXPECT_EQ(two, (std::vector<float>{2, 3}));
    EXPECT_TRUE(source->read(0, 4, {}).ok());
    EXPECT_FALSE(source->read(0, 3, two).ok());
    EXPECT_FALSE(source->read(0, -1, two).ok());
    EXPECT_FALSE(source->read(0, 5, {}).ok());
    EXPECT_FALSE(source->read(1, 0, two).ok());
    EXPECT_FALSE(source->read(0, std::numeric_limits<std::int64_t>::max(), two).ok());
}

TEST(Safetensors, ReadsTheRecordedCases) {
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(io_testing::data / "cases")) {
        if (entry.path().extension() != ".safetensors") continue;
        const auto source = safetensors_source::open(entry.path());
        ASSERT_TRUE(source.ok()) << source.error().message;
        for (std::size_t i = 0; i < source->size(); ++i) {
            EXPECT_EQ(source->find(source->info(i).name), i);
            std::vector<float> out(static_cast<std::size_t>(source->info(i).size()));
            EXPECT_TRUE(source->read(i, 0, out).ok());
            for (const float x : out) ASSERT_TRUE(std::isfinite(x)) << entry.path() << " " << source->info(i).name;
        }
        ++files;
    }
    EXPECT_GE(files, 20);
    const auto tiny = safetensors_source::open(io_testing::data / "cases/tiny/cases.safetensors");
    ASSERT_TRUE(tiny.ok());
    const auto mask = values(*tiny, "mask_first.in.attention_mask");
    ASSERT_FALSE(mask.empty());
    for (const float x : mask) EXPECT_TRUE(x == 0.0F || x == 1.0F);
    EXPECT_EQ(tiny->dtype(tiny->find("mask_first.in.attention_mask").value()), element_type::u8);
    EXPECT_EQ(tiny->dtype(tiny->find("sample.timesteps").value()), element_type::i64);
}

TEST(Safetensors, ALinkedImageIsASource) {
    static constexpr unsigned char linked[] = {60,  0,   0,   0,   0,   0,   0,   0,   '{', '"', 'a', '"', ':', '{',
                                               '"', 'd', 't', 'y', 'p', 'e', '"', ':', '"', 'U', '8', '"', ',', '"',
                                               's', 'h', 'a', 'p', 'e', '"', ':', '[', '2', ']', ',', '"', 'd', 'a',
                                               't', 'a', '_', 'o', 'f', 'f', 's', 'e', 't', 's', '"', ':', '[', '0',
                                               ',', '2', ']', '}', '}', ' ', ' ', ' ', ' ', ' ', ' ', ' ', 7,   9};
    const auto source = linked_source(std::span(linked), "linked digits");
    ASSERT_TRUE(source.ok()) << source.error().message;
    EXPECT_EQ(values(*source, "a"), (std::vector<float>{7, 9}));
    EXPECT_FAILS(linked_source(std::span(linked).first(20), "linked digits"), errc::bad_format, "linked digits: ");
}

TEST(Safetensors, SourcesMayBeMoved) {
    auto opened = open_weights(io_testing::data / "cases/tiny");
    ASSERT_TRUE(opened.ok());
    const std::string_view name = opened->info(3).name;
    const weights_source moved = std::move(*opened);
    EXPECT_EQ(moved.info(3).name.data(), name.data());
    EXPECT_EQ(moved.find(name), 3U);
    EXPECT_FALSE(values(moved, name).empty());
}

// ---- errors ----

TEST(SafetensorsHeader, LengthsThatLie) {
    EXPECT_FAILS(parse(""), errc::bad_format, "f.safetensors: too short", "0 bytes");
    EXPECT_FAILS(parse("1234567"), errc::bad_format, "too short");
    EXPECT_FAILS(parse(std::string(8, '\0')), errc::bad_format, "does not begin with '{'");
    EXPECT_FAILS(parse(std::string("\x03\0\0\0\0\0\0\0{}", 10)), errc::bad_format, "header length 3", "truncated");
    EXPECT_FAILS(parse(std::string(16, '\xFF')), errc::bad_format, "18446744073709551615", "limit of 100000000");
    EXPECT_FAILS(parse(image(" {}")), errc::bad_format, "does not begin with '{'");
    EXPECT_TRUE(parse(image("{}")).ok());
}

TEST(SafetensorsHeader, JsonThatIsDamaged) {
    EXPECT_FAILS(parse(image("{\"a\"")), errc::bad_format, "f.safetensors: header:1:5", "not well-formed");
    EXPECT_FAILS(parse(image("{}x")), errc::bad_format, "not well-formed");
    EXPECT_FAILS(parse(image("{\"\xFF\":1}")), errc::bad_format, "not well-formed");
    EXPECT_FAILS(parse(image("{\"a\":1e999}")), errc::bad_format, "not well-formed");
    const std::string t = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
    EXPECT_FAILS(parse(image("{\"a\":" + t + ",\"a\":" + t + "}", "x")), errc::bad_format, "'a' occurs twice");
    EXPECT_FAILS(parse(one(R"({"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]})", "x")), errc::bad_format,
                 "'shape' occurs twice");
    EXPECT_FAILS(parse(one(std::string(100000, '['))), errc::bad_format, "nested deeper");
    std::string many = "[0";
    for (int i = 0; i < 2'000'000; ++i) many += ",0";
    EXPECT_FAILS(parse(one(many + "]")), errc::bad_format, "more than 2000000 values");
    std::string deep;
    for (int i = 0; i < 100000; ++i) deep += "{\"a\":";
    EXPECT_FAILS(parse(one(deep)), errc::bad_format, "nested deeper");
}

TEST(SafetensorsHeader, NamesThatCannotBe) {
    const std::string t = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
    EXPECT_FAILS(parse(image("{\"\":" + t + "}", "x")), errc::bad_format, "tensor name '' is empty");
    EXPECT_FAILS(parse(image("{\"a\\u001b[31m\":" + t + "}", "x")), errc::bad_format, "control character",
                 "a\\x1b[31m");
    EXPECT_FAILS(parse(image("{\"a\\u009b\":" + t + "}", "x")), errc::bad_format, "control character");
    EXPECT_FAILS(parse(image("{\"" + std::string(5000, 'n') + "\":" + t + "}", "x")), errc::bad_format,
                 "longer than 1024", "nnn...'");
}

TEST(SafetensorsHeader, EntriesThatLie) {
    const auto refused = [](const std::string& entry, const char* why, errc code = errc::bad_format) {
        EXPECT_FAILS(parse(one(entry, "12345678")), code, "f.safetensors: tensor 'a': ", why);
    };
    refused("7", "not an object");
    refused(R"({"dtype":"F32","shape":[2]})", "data_offsets is missing");
    refused(R"({"shape":[2],"data_offsets":[0,8]})", "dtype is missing");
    refused(R"({"dtype":"F32","data_offsets":[0,8]})", "shape is missing");
    refused(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1})", "unknown field 'more'");
    refused(R"({"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]})",
            "dtype 'F8_E4M3' is not supported; allowed: F32, F16", errc::unsupported);
    refused(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]})", "9 dimensions", errc::unsupported);
    refused(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", "shape holds -2");
    refused(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})", "shape holds 2.0");
    refused(R"({"dtype":"F32","shape":["2"],"data_offsets":[0,8]})", "shape holds \"2\"");
    refused(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]})", "more elements than memory");
    refused(R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]})", "more elements than memory");
    refused(R"({"dtype":"F32","shape":[99999999999999999999999],"data_offsets":[0,8]})", "; allowed: integers from 0");
    refused(R"({"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]})", "more elements than memory");
    refused(R"({"dtype":"U8","shape":[0,4611686018427387904],"data_offsets":[0,0]})", "more elements than memory");
    refused(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,9]})", "data_offsets");
    refused(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})", "data_offsets [-8,0]");
    refused(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", "do not lie within");
    refused(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]})", "do not lie within the 8 bytes");
    refused(R"({"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615]})",
            "do not lie within");
    refused(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})", "span 8 bytes, but dtype F32 and shape [1] need 4");
    refused(R"({"dtype":"F16","shape":[2],"data_offsets":[0,8]})", "need 4");
}

TEST(SafetensorsHeader, DataThatOverlapsOrIsLeftOver) {
    const auto two = [](const std::string& a, const std::string& b) {
        return image(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                         R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                     "12345678");
    };
    EXPECT_TRUE(parse(two("[0,4]", "[4,8]")).ok());
    EXPECT_TRUE(parse(two("[4,8]", "[0,4]")).ok()); // names may be in any order
    EXPECT_FAILS(parse(two("[0,4]", "[0,4]")), errc::bad_format, "tensor 'b' begins at byte 0, inside");
    EXPECT_FAILS(parse(two("[0,4]", "[3,7]")), errc::bad_format, "tensor 'b' begins at byte 3, inside");
    EXPECT_FAILS(parse(one(R"({"dtype":"U8","shape":[2],"data_offsets":[1,3]})", "123")), errc::bad_format,
                 "bytes 0 to 1 before tensor 'a'");
    EXPECT_FAILS(parse(one(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})", "123")), errc::bad_format,
                 "last 1 bytes");
}

TEST(SafetensorsHeader, MetadataIsText) {
    EXPECT_FAILS(parse(image(R"({"__metadata__":[]})")), errc::bad_format, "__metadata__ is []");
    EXPECT_FAILS(parse(image(R"({"__metadata__":{"n":1}})")), errc::bad_format, "__metadata__ 'n' is 1, not text");
}

/// Whatever a file contains, the result is a source whose every byte can be read, or one clear line.
void expect_sound(std::string_view bytes) {
    // An exact copy on the heap, so that an address sanitizer sees every byte that is read past it.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const auto source = parse({exact.data(), exact.size()});
    if (!source.ok()) {
        EXPECT_TRUE(source.error().message.starts_with("f.safetensors: "));
        return io_testing::expect_one_line(source.error().message);
    }
    for (std::size_t i = 0; i < source->size(); ++i) {
        ASSERT_LE(source->info(i).size(), static_cast<std::ptrdiff_t>(bytes.size()));
        std::vector<float> out(static_cast<std::size_t>(source->info(i).size()));
        EXPECT_TRUE(source->read(i, 0, out).ok());
    }
}

TEST(SafetensorsHeader, SurvivesEveryCutAndEveryChangedByte) {
    const std::string whole = io_testing::read_all(io_testing::data / "cases/tiny_no_text/cases.safetensors");
    std::uint64_t length = 0;
    std::memcpy(&length, whole.data(), 8);
    ASSERT_TRUE(parse(whole).ok());
    for (std::size_t n = 0; n < whole.size(); ++n) {
        expect_sound(std::string_view(whole).substr(0, n)); // the data after the header is cut too
        EXPECT_FALSE(parse(std::string_view(whole).substr(0, n)).ok()) << n;
    }
    for (std::size_t cut = 0; cut < length; ++cut) { // a shorter header with the right length
        std::string header = whole.substr(8, cut);
        expect_sound(image(header, std::string_view(whole).substr(8 + length)));
    }
    for (std::size_t at = 0; at < 8 + length; ++at)
        for (const int change : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF}) {
            std::string changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ change);
            expect_sound(changed);
        }
    for (std::size_t at = 8; at < 8 + length; ++at)
        for (const char c : std::string_view("0129-.e\"[]{},:\\ ")) {
            std::string changed = whole;
            changed[at] = c;
            expect_sound(changed);
        }
}

// ---- files and folders ----

TEST(OpenWeights, SaysWhatIsWrongWithAPath) {
    const temporary_folder folder;
    EXPECT_FAILS(open_weights(folder.path / "none"), errc::not_found, folder.path.string() + "/none",
                 "no such file or folder");
    EXPECT_FAILS(open_weights(folder.path), errc::not_found, folder.path.string(), "holds no weights",
                 "diffusion_pytorch_model.safetensors");
    EXPECT_FAILS(safetensors_source::open(folder.path), errc::io_error, "is a folder");
    EXPECT_FAILS(safetensors_source::open("/dev/null"), errc::io_error, "not a regular file");
    EXPECT_FAILS(open_weights(folder.write("empty.safetensors", "")), errc::bad_format, "empty.safetensors: too short");
    ::mkfifo((folder.path / "pipe").c_str(), 0600);
    EXPECT_FAILS(open_weights(folder.path / "pipe"), errc::io_error,
                 "not a regular file"); // and it does not wait for a writer
}

TEST(OpenWeights, TakesTheNamesOfDiffusersInOrder) {
    const temporary_folder folder;
    const auto numbered = [](char n) {
        return image(R"({"n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", std::string(1, n));
    };
    const auto index = [](const char* file) {
        return std::string(R"({"metadata":{"total_size":1},"weight_map":{"n":")") + file + "\"}}";
    };
    folder.write("shard.safetensors", numbered(9));
    char n = 1; // from the last choice to the first: diffusers prefers its shards, transformers its single file
    for (const char* name :
         {"model.safetensors.index.fp16.json", "model.fp16.safetensors", "model.safetensors.index.json",
          "model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
          "diffusion_pytorch_model.safetensors.index.fp16.json", "diffusion_pytorch_model.safetensors",
          "diffusion_pytorch_model.safetensors.index.json"}) {
        const bool json = std::string_view(name).ends_with(".json");
        folder.write(name, json ? index("shard.safetensors") : numbered(n));
        const auto source = open_weights(folder.path);
        ASSERT_TRUE(source.ok()) << source.error().message;
        EXPECT_EQ(values(*source, "n"), std::vector<float>{static_cast<float>(json ? 9 : n)}) << name;
        ++n;
    }
}

// Saving one file over an earlier save of shards removes the shards, but not their index: diffusers fails there.
TEST(OpenWeights, PassesOverAnIndexWhoseShardsAreGone) {
    const temporary_folder folder;
    folder.write("diffusion_pytorch_model.safetensors",
                 image(R"({"n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "\x07"));
    const std::string index = R"({"weight_map":{"n":"diffusion_pytorch_model-00001-of-00002.safetensors"}})";
    folder.write("diffusion_pytorch_model.safetensors.index.json", index);
    const io_testing::captured_warnings warnings;
    const auto source = open_weights(folder.path);
    ASSERT_TRUE(source.ok()) << source.error().message;
    EXPECT_EQ(values(*source, "n"), std::vector<float>{7});
    ASSERT_EQ(warnings.texts().size(), 1U);
    for (const char* part : {"00001-of-00002.safetensors: cannot open: No such file", "a shard of diffusion_pytorch",
                             "; reading diffusion_pytorch_model.safetensors instead"})
        EXPECT_NE(warnings.texts()[0].find(part), std::string::npos) << warnings.texts()[0];

    folder.write("diffusion_pytorch_model.safetensors.index.json", "{"); // a damaged index is not an old one
    EXPECT_FAILS(open_weights(folder.path), errc::bad_format, "index.json");
}

// ---- files that are not safetensors ----

/// The words into which a shell splits the command at the end of a message.
std::vector<std::string> words_of(const std::string& message, const temporary_folder& folder) {
    folder.write("python3", "#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done > \"$WORDS\"\n");
    std::filesystem::permissions(folder.path / "python3", std::filesystem::perms::owner_all);
    const auto script = folder.write("script", message.substr(message.find("python3 -c")) + "\n");
    const std::string run = "WORDS=" + (folder.path / "words").string() + " PATH=" + folder.path.string() +
                            ":$PATH bash " + script.string();
    EXPECT_EQ(std::system(run.c_str()), 0) << message;
    std::vector<std::string> words;
    for (std::string rest = io_testing::read_all(folder.path / "words"); !rest.empty();
         rest.erase(0, words.back().size() + 1))
        words.emplace_back(rest.c_str());
    return words;
}

TEST(OpenWeights, SaysHowToConvertAPickle) {
    struct pickle {
        const char *name, *becomes;
    };
    const temporary_folder bin;
    for (const auto& [name, becomes] :
         {pickle{"diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"},
          pickle{"diffusion_pytorch_model.fp16.bin", "diffusion_pytorch_model.fp16.safetensors"},
          pickle{"diffusion_pytorch_model.bin.index.json", "diffusion_pytorch_model.safetensors"},
          pickle{"pytorch_model.bin", "model.safetensors"}, pickle{"pytorch_model.bin.index.json", "model.safetensors"},
          pickle{"prior.ckpt", "prior.safetensors"}, pickle{"my prior.pt", "my prior.safetensors"},
          pickle{"prior.pth", "prior.safetensors"}}) {
        const temporary_folder folder;
        folder.write(name, "{}");
        for (const auto& path : {folder.path, folder.path / name}) {
            const auto failed = io_testing::failure_of(open_weights(path));
            io_testing::expect_failure(failed, errc::unsupported,
                                       {std::string(name) + ": is a", "PyTorch pickle", "weights_only=True"});
            EXPECT_EQ(words_of(failed->message, bin),
                      (std::vector<std::string>{"-c", words_of(failed->message, bin).at(1),
                                                (folder.path / name).string(), (folder.path / becomes).string()}));
        }
    }
}

TEST(OpenWeights, TakesTheStateOfATrainingForNoWeights) {
    const temporary_folder folder;
    for (const char* name : {"optimizer.bin", "optimizer.pt", "scheduler.bin", "training_args.bin"})
        folder.write(name, "PK");
    std::filesystem::create_directory(folder.path / "a.ckpt");
    EXPECT_FAILS(open_weights(folder.path), errc::not_found, "holds no weights");
    folder.write("z.ckpt", "PK");
    EXPECT_FAILS(open_weights(folder.path), errc::unsupported, "z.ckpt: is a PyTorch pickle");
}

TEST(OpenWeights, TheCommandThatConvertsAPickleRunsWhateverThePath) {
    const temporary_folder bin;
    for (const char* name : {"it's", "two words", "line\nbreak", "$HOME", "back\\slash", "dou\"ble", "`id`", "\xc3\xa9",
                             "not utf8 \xff 'x'", "*", "a;b", "tab\t!"}) {
        const auto failed = pickle_failure(std::filesystem::path("/") / name / "w.bin");
        EXPECT_EQ(failed.message.substr(failed.message.find("python3")).find('\n'), std::string::npos);
        const auto words = words_of(failed.message, bin);
        ASSERT_EQ(words.size(), 4U) << failed.message;
        EXPECT_EQ(words[2], std::string("/") + name + "/w.bin");
        EXPECT_EQ(words[3], std::string("/") + name + "/w.safetensors");
    }
    EXPECT_EQ(words_of(pickle_failure("-w.bin").message, bin).at(2), "./-w.bin");
    EXPECT_EQ(words_of(pickle_failure("-w.bin").message, bin).at(3), "./-w.safetensors");
    EXPECT_EQ(words_of(pickle_failure("w.safetensors").message, bin).at(3), "w.converted.safetensors");
}

// Produces the error of each row of the table in docs/weights.md, in order.
TEST(OpenWeights, TheDocumentationHasTheTableOfErrors) {
    const temporary_folder folder;
    const std::string one_float = image(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", raw<float>({0}));
    const auto error = [&](const std::string& name, const std::string& content) {
        const auto failed = io_testing::failure_of(open_weights(folder.write(name, content)));
        return failed ? failed->message : "";
    };
    folder.write("whole.safetensors", one_float);
    const std::vector<std::string> messages{
        error("a.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4\n"),
        error("a.bin", "PK"),
        error("b.safetensors", "PK\x03\x04 archive"),
        error("model.bin.index.json", "{}"),
        error("c.safetensors", "<!DOCTYPE html>\n<html><body>Sign in</body></html>"),
        error("d.safetensors", R"({"error": "Repository not found"})"),
        error("e.safetensors", R"({"metadata": {}, "weight_map": {"a": "x.safetensors"}})"),
        error("f.safetensors", ""),
        error("g.safetensors", one_float.substr(0, 20)),
        error("h.safetensors", one_float.substr(0, one_float.size() - 1)),
        error("i.safetensors", one(R"({"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]})", "x")),
        error("j.safetensors.index.json", R"({"weight_map": {"a": "none.safetensors"}})"),
        error("k.safetensors.index.json", R"({"weight_map": {"b": "whole.safetensors"}})")};
    const std::string page = io_testing::read_all(io_testing::data / "../../docs/weights.md");
    std::size_t at = page.find("| a file that |"), rows = 0;
    ASSERT_NE(at, std::string::npos);
    at = page.find("\n| ", at); // after the line of dashes
    for (; page.compare(at, 3, "\n| ") == 0; at = page.find('\n', at + 1), ++rows) {
        ASSERT_LT(rows, messages.size()) << "the documentation has a row that is not tested";
        const std::size_t end = page.find('\n', at + 1), from = page.find("| `", at) + 3;
        std::string said = page.substr(from, page.rfind('`', end) - from);
        std::size_t found = 0;
        for (std::size_t dots = 0; dots != std::string::npos; said.erase(0, dots + 3)) { // "…" matches anything
            dots = said.find("…");
            found = messages[rows].find(said.substr(0, dots), found);
            EXPECT_NE(found, std::string::npos) << messages[rows] << "\nlacks: " << said;
            if (dots == std::string::npos || found == std::string::npos) break;
        }
    }
    EXPECT_EQ(rows, messages.size());
}

TEST(ForeignFiles, AreNamedWhateverTheyShouldBe) {
    const temporary_folder folder;
    const auto lfs = folder.write("config.json", "version https://git-lfs.github.com/spec/v1\n");
    EXPECT_FAILS(load_config<apriori::PriorConfig>(folder.path), errc::bad_format, lfs.string() + ": is a Git LFS");
    EXPECT_FAILS(load_scheduler_config(lfs), errc::bad_format, "is a Git LFS pointer");
    EXPECT_FAILS(json_fields::open(lfs), errc::bad_format, "is a Git LFS pointer");
    EXPECT_FAILS(read_npy(lfs), errc::bad_format, "is a Git LFS pointer");
    EXPECT_FAILS(weights_source::open_index(lfs), errc::bad_format, "is a Git LFS pointer");
    for (const char* page : {"<html>", "\xef\xbb\xbf\r\n<!doctype HTML>", "<?xml version=\"1.0\"?><Error/>"}) {
        const auto html = folder.write("page", page);
        EXPECT_FAILS(load_config<apriori::PriorConfig>(html), errc::bad_format, "is a web page");
        EXPECT_FAILS(safetensors_source::open(html), errc::bad_format, "is a web page");
    }
}

TEST(OpenWeights, JoinsShards) {
    const temporary_folder folder;
    const std::vector<float> x{1, 2, 3};
    const std::vector<float> y{4, 5};
    safetensors_writer first;
    safetensors_writer second;
    ASSERT_TRUE(first.add("z.weight", {3}, x).ok());
    ASSERT_TRUE(second.add("a.weight", {1, 2}, y).ok());
    ASSERT_TRUE(second.add("m.weight", {3}, x).ok());
    ASSERT_TRUE(first.write(folder.path / "w-1-of-2.safetensors").ok());
    ASSERT_TRUE(second.write(folder.path / "w-2-of-2.safetensors").ok());
    const auto with = [&](std::string_view map) {
        return open_weights(folder
                                .write("diffusion_pytorch_model.safetensors.index.json",
                                       std::string("{\"weight_map\":") + std::string(map) + "}")
                                .parent_path());
    };
    const auto good = with(
        R"({"a.weight":"w-2-of-2.safetensors","m.weight":"w-2-of-2.safetensors","z.weight":"w-1-of-2.safetensors"})");
    ASSERT_TRUE(good.ok()) << good.error().message;
    EXPECT_EQ(good->size(), 3U);
    EXPECT_EQ(good->files().size(), 2U);
    EXPECT_EQ(values(*good, "a.weight"), y);
    EXPECT_EQ(values(*good, "z.weight"), x);
    EXPECT_FALSE(good->find("b.weight"));
    EXPECT_FALSE(good->read(3, 0, {}).ok());

    EXPECT_FAILS(with(R"({"a.weight":"w-2-of-2.safetensors","z.weight":"w-1-of-2.safetensors"})"), errc::bad_format,
                 "w-2-of-2.safetensors holds 'm.weight', which weight_map does not place there");
    EXPECT_FAILS(
        with(
            R"({"a.weight":"w-2-of-2.safetensors","m.weight":"w-1-of-2.safetensors","z.weight":"w-1-of-2.safetensors"})"),
        errc::bad_format, "w-1-of-2.safetensors holds 'm.weight', but it does not");
    EXPECT_FAILS(with(R"({"z.weight":"w-3.safetensors"})"), errc::not_found, "w-3.safetensors",
                 "a shard of diffusion_pytorch_model.safetensors.index.json");
    for (const char* name : {"../w.safetensors", "/etc/w.safetensors", "sub/w.safetensors", "..\\\\w.safetensors",
                             "w..safetensors", ".w.safetensors", "w.bin", ""})
        EXPECT_FAILS(with(std::string(R"({"z.weight":")") + name + "\"}"), errc::bad_format, "'z.weight' names",
                     "without a path");
    EXPECT_FAILS(with("{}"), errc::bad_format, "weight_map is an object");
    EXPECT_FAILS(with("[]"), errc::bad_format, "weight_map is []");
    EXPECT_FAILS(with(R"({"z.weight":1})"), errc::bad_format, "'z.weight' is 1, not a file name");
    EXPECT_FAILS(with(R"({"z":"w.safetensors","z":"w.safetensors"})"), errc::bad_format, "'z' occurs twice");
}

// ---- names and shapes compared with a model's table ----

TEST(CheckTensors, ListsEverythingThatDiffers) {
    const std::string bytes = image(
        R"({"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},)"
        R"("c":{"dtype":"U8","shape":[],"data_offsets":[3,4]}})",
        "1234");
    const auto source = parse(bytes);
    ASSERT_TRUE(source.ok());
    const tensor_info a{"a", 2, {2, 1}};
    const tensor_info b{"b", 1, {1}};
    const tensor_info c{"c", 0, {}};
    const auto check = [&](std::vector<tensor_info> expected) {
        return check_tensors(*source, std::span<const tensor_info>(expected));
    };
    EXPECT_TRUE(check({c, a, b}).ok());
    EXPECT_FAILS(check({a, b, c, {"d", 1, {1}}}), errc::not_found, "1 missing tensor: d");
    EXPECT_FAILS(check({a, c}), errc::invalid_argument, "1 unexpected tensor: b");
    EXPECT_FAILS(check({{"a", 1, {2}}, b, c}), errc::shape_mismatch, "1 misshapen tensor: a is [2, 1], must be [2]");
    EXPECT_FAILS(check({{"a", 2, {1, 2}}, {"d", 1, {1}}, {"e", 1, {1}}, c}), errc::not_found,
                 "2 missing tensors: d, e; 1 unexpected tensor: b; 1 misshapen tensor: a is [2, 1], must be [1, 2]");
    const std::string long_name = std::string(199, 'n') + "\u00E9"; // not cut inside a character
    EXPECT_FAILS(check({a, b, c, {long_name, 1, {1}}}), errc::not_found, "1 missing tensor: " + std::string(199, 'n'));
    EXPECT_TRUE(valid_utf8(check({{long_name, 1, {1}}}).error().message));
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back(cat("t", i));
    std::vector<tensor_info> many{a, b, c};
    for (const auto& name : names) many.push_back({name, 1, {1}});
    EXPECT_FAILS(check(many), errc::not_found, "1000 missing tensors: t0, t1", "t19 and 980 more");
}

} // namespace
