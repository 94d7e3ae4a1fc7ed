// SPDX-License-Identifier: Apache-2.0
// apriori sample as users see it: files, pictures, repeatability, interruption.
#include "apriori/io/safetensors.hpp"
#include "program_testing.hpp"

#include <cmath>
#include <cstdio>
#include <map>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wpedantic"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace {

using namespace program_testing;

std::vector<float> read_embeddings(const path& file, std::vector<apriori::index_t> shape) {
    const auto source = apriori::io::open_weights(file);
    if (!source) throw std::runtime_error(source.error().message);
    const auto at = source->find("image_embeds");
    if (!at || source->size() != 1) throw std::runtime_error("image_embeds is not the one tensor");
    const auto info = source->info(*at);
    EXPECT_EQ(std::vector<apriori::index_t>(info.dims.begin(), info.dims.begin() + info.rank), shape);
    std::vector<float> values(static_cast<std::size_t>(info.size()));
    EXPECT_TRUE(source->read(*at, 0, values).ok());
    return values;
}

TEST(sample, agrees_with_diffusers_for_a_seed) {
    const temporary_folder folder;
    const path file = folder.path / "e.safetensors";
    const outcome o = run(sample({"--samples", "3", "--steps", "12", "--guidance", "2.5", "--seed", "42", "--out",
                                  file.string(), "a handwritten three", "a wide handwritten zero", "seven"}));
    ASSERT_EQ(o.code, 0) << o.err;
    const auto got = read_embeddings(file, {9, 64});
    const auto expected = read_embeddings(cases / "digits_sample.safetensors", {9, 64});
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-4) << i;
}

TEST(sample, writes_settings_beside_the_embeddings) {
    const temporary_folder folder;
    const path file = folder.path / "e.safetensors";
    const outcome o = run(sample({"--samples", "2", "--steps", "3", "--seed", "7", "--out", file.string(), "seven"}));
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(o.err, "");
    const auto source = apriori::io::safetensors_source::open(file);
    ASSERT_TRUE(source.ok());
    std::map<std::string, std::string> metadata(source->metadata().begin(), source->metadata().end());
    EXPECT_EQ(metadata["prompts"], R"(["seven"])");
    EXPECT_EQ(metadata["samples"], "2");
    EXPECT_EQ(metadata["steps"], "3");
    EXPECT_EQ(metadata["guidance"], "4");
    EXPECT_EQ(metadata["seed"], "7");
    EXPECT_EQ(metadata["scheduler"], "UnCLIPScheduler");
    EXPECT_EQ(metadata["model"], "digits-unclip");
    EXPECT_EQ(metadata["weights"], "f32");
    EXPECT_EQ(metadata["device"] == "cpu", !metadata["arch"].empty());
    EXPECT_EQ(folder.files(), 1U);
}

TEST(sample, gives_the_same_bytes_for_the_same_seed_and_others_for_another) {
    const temporary_folder folder;
    for (const std::string& weights : listed("weight formats of cpu: ")) {
        SCOPED_TRACE(weights);
        const auto bytes = [&](const std::string& seed, const std::string& threads) {
            const path file = folder.path / "e.safetensors", png = folder.path / "e.png";
            const outcome o =
                run(sample({"--samples", "4", "--steps", "4", "--seed", seed, "--threads", threads, "--weights",
                            weights, "--out", file.string(), "--png", png.string(), "seven", "a handwritten two"}));
            EXPECT_EQ(o.code, 0) << o.err;
            return read_all(file) + read_all(png);
        };
        const std::string first = bytes("5", "1");
        EXPECT_EQ(first, bytes("5", "1"));
        EXPECT_EQ(first, bytes("5", "3"));
        EXPECT_NE(first, bytes("6", "1"));
    }
}

TEST(sample, writes_into_no_folder_that_is_read_only) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
    const temporary_folder folder;
    std::filesystem::permissions(folder.path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    const outcome o = run(sample({"--steps", "1", "--out", (folder.path / "e.safetensors").string(), "seven"}));
    std::filesystem::permissions(folder.path, std::filesystem::perms::owner_all);
    EXPECT_EQ(o.code, 2);
    EXPECT_NE(o.err.find("cannot write: Permission denied"), std::string::npos) << o.err;
}

TEST(sample, takes_all_prompts_but_the_empty_one_where_none_is_named) {
    const temporary_folder folder;
    const path file = folder.path / "e.safetensors";
    ASSERT_EQ(run(sample({"--steps", "1", "--out", file.string()})).code, 0);
    read_embeddings(file, {36, 64});
}

TEST(sample, draws_the_digits_that_are_named) {
    const temporary_folder folder;
    const path file = folder.path / "d.png";
    const outcome o = run(sample({"--samples", "20", "--png", file.string(), "a handwritten zero", "a handwritten one",
                                  "a handwritten four", "a handwritten seven"}));
    ASSERT_EQ(o.code, 0) << o.err;
    const auto at = o.out.find("nearest to the digit that the prompt names: ");
    ASSERT_NE(at, std::string::npos) << o.out;
    int hits = 0, of = 0;
    ASSERT_EQ(std::sscanf(o.out.c_str() + at, "nearest to the digit that the prompt names: %d of %d", &hits, &of), 2);
    EXPECT_EQ(of, 80);
    EXPECT_GE(hits, 76); // sample.py reaches 79 or 80
    EXPECT_NE(o.out.find("█"), std::string::npos);
    EXPECT_EQ(o.out.find('\x1b'), std::string::npos) << "colours in what is no terminal";

    // dark ink on white: 16 pictures for each prompt, each 8 pixels wide with a margin of 1 on either side, enlarged 8
    // times
    int width = 0, height = 0, channels = 0;
    const std::string png = read_all(file);
    unsigned char* pixels = stbi_load_from_memory(reinterpret_cast<const unsigned char*>(png.data()),
                                                  static_cast<int>(png.size()), &width, &height, &channels, 0);
    ASSERT_NE(pixels, nullptr) << stbi_failure_reason();
    EXPECT_EQ(width, 16 * 10 * 8);
    EXPECT_EQ(height, 4 * 10 * 8);
    EXPECT_EQ(channels, 1);
    const std::vector<unsigned char> grey(pixels, pixels + width * height);
    stbi_image_free(pixels);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const bool margin = y / 8 % 10 == 0 || y / 8 % 10 == 9 || x / 8 % 10 == 0 || x / 8 % 10 == 9;
            const int value = grey[static_cast<std::size_t>(y * width + x)];
            ASSERT_TRUE(!margin || value == 255) << "at " << x << ", " << y;
        }
    for (int row = 0; row < 4; ++row)
        for (int column = 0; column < 16; ++column) {
            int ink = 0;
            for (int y = 1; y < 9; ++y)
                for (int x = 1; x < 9; ++x)
                    ink += grey[static_cast<std::size_t>((row * 80 + y * 8) * width + column * 80 + x * 8)] < 128;
            EXPECT_GT(ink, 8) << row << ", " << column;
            EXPECT_LT(ink, 40) << row << ", " << column;
        }
}

TEST(sample, works_without_guidance_and_with_one_step) {
    const temporary_folder folder;
    const path file = folder.path / "e.safetensors";
    for (const char* guidance : {"1", "0.5", "-3"}) {
        ASSERT_EQ(run(sample({"--steps", "1", "--guidance", guidance, "--out", file.string(), "seven"})).code, 0);
        for (const float x : read_embeddings(file, {1, 64})) ASSERT_TRUE(std::isfinite(x));
    }
}

TEST(sample, shows_progress_and_colours_in_a_terminal) {
    const auto arguments =
        sample({"--samples", "64", "--steps", sanitized ? "40" : "200", "seven", "a handwritten two"});
    const outcome bright = command(program, arguments).in_terminal(60, true).run();
    ASSERT_EQ(bright.code, 0) << bright.out;
    EXPECT_NE(bright.out.find("% ["), std::string::npos) << bright.out;
    EXPECT_NE(bright.out.find(" left"), std::string::npos);
    EXPECT_NE(bright.out.find("\x1b[38;2;"), std::string::npos);
    for (std::size_t begin = 0, end = 0; (end = bright.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
        std::size_t columns = 0;
        for (std::size_t at = bright.out.find("▀", begin); at < end; at = bright.out.find("▀", at + 1)) ++columns;
        EXPECT_TRUE(columns == 0 || columns == 6 * 8) << columns; // six pictures and five gaps have 53 columns
    }
    const outcome grey = command(program, sample({"--steps", "2", "seven"})).in_terminal(80, false).run();
    EXPECT_NE(grey.out.find("\x1b[38;5;"), std::string::npos);
}

// Loading the digits takes a hundredth of a second, so after half a second it is sampling.
TEST(sample, leaves_nothing_behind_when_interrupted) {
    for (const int signal : {SIGINT, SIGTERM}) {
        const temporary_folder folder;
        const outcome o =
            command(program,
                    sample({"--samples", "256", "--steps", "1000", "--out", "e.safetensors", "--png", "e.png"}))
                .in(folder.path)
                .interrupted_by(signal, [](pid_t process) { return processor_seconds(process) > 0.5; })
                .run();
        EXPECT_EQ(o.code, 128 + signal) << o.err;
        EXPECT_NE(o.err.find("interrupted"), std::string::npos) << o.err;
        EXPECT_EQ(o.err.find("loaded"), std::string::npos) << "the signal came before anything was sampled: " << o.err;
        EXPECT_EQ(folder.files(), 0U);
    }
}

} // namespace
