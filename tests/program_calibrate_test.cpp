// SPDX-License-Identifier: Apache-2.0
// apriori pack --calibrate: four-bit weights whose samples are close to those of float32, in an ordinary packed file.
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "program_testing.hpp"

#include <cmath>
#include <fstream>

namespace {

using namespace program_testing;

const path prompts = digits.parent_path() / "calibration.jsonl";

/// Samples of all conditions, with further arguments.
std::vector<float> embeddings(std::vector<std::string> more, int samples = 8) {
    const temporary_folder folder;
    const path file = folder.path / "e.safetensors";
    more.insert(more.end(), {"--samples", std::to_string(samples), "--out", file.string()});
    const outcome o = run(sample(more));
    EXPECT_EQ(o.code, 0) << o.err;
    const auto source = apriori::io::open_weights(file);
    EXPECT_TRUE(source.ok());
    return *apriori::io::read_tensor(*source, "image_embeds");
}
double mean_cosine(const std::vector<float>& a, const std::vector<float>& b) {
    constexpr std::size_t dim = 64;
    double sum = 0;
    for (std::size_t r = 0; r < a.size(); r += dim) {
        double ab = 0, aa = 0, bb = 0;
        for (std::size_t i = r; i < r + dim; ++i) {
            const double x = a[i], y = b[i];
            ab += x * y, aa += x * x, bb += y * y;
        }
        sum += ab / std::sqrt(aa * bb);
    }
    return sum * double(dim) / double(a.size());
}
std::vector<std::string> calibrate(const std::string& format, const path& file, const path& out) {
    return {"pack",        "--model",     digits.string(), "--mask-text-encoder", "--weights", format,
            "--calibrate", file.string(), "--out",         out.string()};
}
bool has(const std::string& format) {
    for (const std::string& f : listed("weight formats of cpu: "))
        if (f == format) return true;
    return false;
}

TEST(calibrate, brings_four_bits_near_to_float32) {
    if (!has("w4")) GTEST_SKIP() << "w4 is not compiled in";
    const temporary_folder folder;
    const path plain = folder.path / "plain", calibrated = folder.path / "calibrated";
    ASSERT_EQ(run({"pack", "--model", digits.string(), "--weights", "w4", "--out", plain.string()}).code, 0);
    const outcome o = run(calibrate("w4", prompts, calibrated));
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("w4 weights of cpu"), std::string::npos) << o.out;
    EXPECT_EQ(std::filesystem::file_size(calibrated), std::filesystem::file_size(plain));
    EXPECT_EQ(run({"pack", "--verify", calibrated.string()}).code, 0);

    const auto exact = embeddings({}), nearest = embeddings({"--packed", plain.string()}),
               better = embeddings({"--packed", calibrated.string()});
    // 0.967 and 0.988 with more samples; which samples change much depends on the instruction set
    EXPECT_GT(mean_cosine(exact, better), 0.98);
    EXPECT_LT(1 - mean_cosine(exact, better), 0.7 * (1 - mean_cosine(exact, nearest)));
    RecordProperty("cosine", std::to_string(mean_cosine(exact, better)));
}

TEST(calibrate, is_the_same_each_time_for_any_threads_and_targets) {
    const std::string format = has("w4a8") ? "w4a8" : "w4";
    if (!has(format)) GTEST_SKIP() << "neither w4a8 nor w4 is compiled in";
    const temporary_folder folder;
    const path some = folder.path / "some.jsonl", a = folder.path / "a", b = folder.path / "b", c = folder.path / "c";
    std::ofstream(some) << R"({"prompt": "four", "num_inference_steps": 3, "num_images_per_prompt": 2})"
                        << "\n"
                        << R"({"prompt": "a bold two", "num_inference_steps": 2, "guidance_scale": 1, "seed": 7})";
    auto with = [&](const path& to, std::vector<std::string> more) {
        auto all = calibrate(format, some, to);
        all.insert(all.end(), more.begin(), more.end());
        const outcome o = run(all);
        EXPECT_EQ(o.code, 0) << o.err;
    };
    with(a, {"--threads", "1"});
    with(b, {"--threads", "3"});
    with(c, {"--target", "scalar"});
    EXPECT_EQ(read_all(a), read_all(b));
    EXPECT_EQ(run({"pack", "--verify", c.string()}).code, 0);
}

TEST(calibrate, takes_conditions_and_loras) {
    if (!has("w4")) GTEST_SKIP() << "w4 is not compiled in";
    const temporary_folder folder;
    const path few = folder.path / "few.safetensors", lora = folder.path / "bold.safetensors",
               out = folder.path / "out";
    ASSERT_EQ(run({"encode", "--model", digits.string(), "--mask-text-encoder", "--out", few.string(), "six",
                   "a wide two", "a bold handwritten five"})
                  .code,
              0);
    std::vector<float> down(2 * 128), up(128 * 2);
    for (std::size_t i = 0; i < down.size(); ++i)
        down[i] = 0.25F * std::sin(float(i)), up[i] = 0.5F * std::cos(float(7 * i));
    apriori::io::safetensors_writer writer;
    ASSERT_TRUE(writer.add("transformer_blocks.1.attn1.to_v.lora_A.weight", {2, 128}, down).ok());
    ASSERT_TRUE(writer.add("transformer_blocks.1.attn1.to_v.lora_B.weight", {128, 2}, up).ok());
    ASSERT_TRUE(writer.write(lora).ok());
    const auto packed = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"pack", "--model", digits.string(), "--weights", "w4", "--conditions", few.string(),
                                   "--out", out.string()});
        const outcome o = run(more);
        EXPECT_EQ(o.code, 0) << o.err;
        return embeddings({"--packed", out.string()}, 2);
    };
    const auto exact = embeddings({"--lora", lora.string()}, 2), without = packed({}),
               with = packed({"--lora", lora.string()});
    EXPECT_GT(mean_cosine(exact, with), mean_cosine(exact, without));
    EXPECT_GT(mean_cosine(exact, with), 0.95);
}

TEST(calibrate, refuses_what_it_cannot_do) {
    const temporary_folder folder;
    const path bad = folder.path / "bad.jsonl", empty = folder.path / "empty.jsonl";
    std::ofstream(bad) << "{\"prompt\": \"a seven\"}\n{\"promt\": \"an eight\"}\n";
    std::ofstream(empty) << "\n";
    const path out = folder.path / "out";
    const auto refused = [&](std::vector<std::string> arguments, const std::string& part) {
        SCOPED_TRACE(part);
        expect_refused(run(std::move(arguments)), part);
        EXPECT_FALSE(std::filesystem::exists(out));
    };
    refused(calibrate("w8", prompts, out), "add --weights w4 or --weights w4a8");
    refused({"pack", "--model", digits.string(), "--calibrate", prompts.string(), "--out", out.string()},
            "add --weights w4 or --weights w4a8");
    refused({"pack", "--preset", "digits", "--weights", "w4", "--calibrate", prompts.string(), "--out", out.string()},
            "give --model");
    refused({"pack", "--model", digits.string(), "--weights", "w4", "--mask-text-encoder", "--out", out.string()},
            "--mask-text-encoder is for the prompts of --calibrate");
    auto both = calibrate("w4", prompts, out);
    both.insert(both.end(), {"--conditions", (digits / "conditions.safetensors").string()});
    refused(both, "one is enough");
    if (!has("w4")) return;
    refused(calibrate("w4", "none.jsonl", out), "none.jsonl: cannot be read");
    refused(calibrate("w4", "-", out), "give a file");
    refused(calibrate("w4", bad, out), "bad.jsonl:2: has no field 'prompt'");
    refused(calibrate("w4", empty, out), "holds no lines");
    const path model = folder.path / "m";
    std::filesystem::copy(digits, model, std::filesystem::copy_options::recursive);
    std::filesystem::remove_all(model / "text_encoder");
    auto no_encoder = calibrate("w4", prompts, out);
    no_encoder[2] = model.string();
    refused(no_encoder, "holds no folder text_encoder, which words need; without it give --conditions");
    std::filesystem::remove_all(model / "scheduler");
    refused(no_encoder, "scheduler");
    EXPECT_EQ(read_all(prompts).substr(0, 10), "{\"prompt\":"); // outputs must not replace it
    refused(calibrate("w4", prompts, prompts), "must not replace an input");
}

TEST(calibrate, leaves_nothing_when_interrupted) {
    if (!has("w4")) GTEST_SKIP() << "w4 is not compiled in";
    const temporary_folder folder;
    const path out = folder.path / "out";
    const outcome o = command(program, calibrate("w4", prompts, out))
                          .interrupted_by(SIGINT, [](pid_t p) { return processor_seconds(p) > 0.3; })
                          .run();
    EXPECT_EQ(o.code, 130) << o.err;
    EXPECT_NE(o.err.find("interrupted; nothing was written"), std::string::npos) << o.err;
    EXPECT_EQ(folder.files(), 0U);
}

} // namespace
