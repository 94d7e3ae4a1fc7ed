// SPDX-License-Identifier: Apache-2.0
// --lora: LoRAs give the same numbers whether they are merged when weights are read or when an image is packed. Also
// errors.
#include "program_testing.hpp"

#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"

namespace {

using namespace program_testing;

/// A LoRA that changes the results of the digits model.
void write_lora(const path& file, const std::string& module = "transformer_blocks.1.attn1.to_v") {
    std::vector<float> down(2 * 128), up(128 * 2);
    for (std::size_t i = 0; i < down.size(); ++i) {
        down[i] = 0.02F * static_cast<float>(i % 7) - 0.06F;
        up[i] = 0.02F * static_cast<float>(i % 5) - 0.04F;
    }
    apriori::io::safetensors_writer writer;
    ASSERT_TRUE(writer.add(module + ".lora_A.weight", {2, 128}, down).ok());
    ASSERT_TRUE(writer.add(module + ".lora_B.weight", {128, 2}, up).ok());
    ASSERT_TRUE(writer.write(file).ok());
}

struct lora_folder {
    temporary_folder folder;
    path lora = folder.path / "bold.safetensors";

    lora_folder() { write_lora(lora); }

    /// The file that sampling a seven writes.
    apriori::io::safetensors_source sampled(std::vector<std::string> more) const {
        const path file = folder.path / "e.safetensors";
        more.insert(more.end(), {"--samples", "2", "--steps", "4", "--out", file.string(), "seven"});
        const outcome o = run(sample(more));
        EXPECT_EQ(o.code, 0) << o.err;
        auto written = apriori::io::safetensors_source::open(file);
        if (!written) throw std::runtime_error(written.error().message);
        return std::move(*written);
    }
    std::vector<float> embeddings(std::vector<std::string> more) const {
        return io_testing::values(sampled(std::move(more)), "image_embeds");
    }
};

std::string metadata_of(const apriori::io::safetensors_source& file, const std::string& key) {
    for (const auto& [k, value] : file.metadata())
        if (k == key) return value;
    return "";
}

TEST(lora, is_the_same_in_weights_and_in_an_image) {
    const lora_folder f;
    const auto plain = f.embeddings({});
    const auto with = f.embeddings({"--lora", f.lora.string() + ":0.8"});
    EXPECT_NE(with, plain);
    EXPECT_EQ(f.embeddings({"--lora", f.lora.string() + ":0"}), plain);
    EXPECT_EQ(f.embeddings({"--lora", f.lora.string()}), f.embeddings({"--lora", f.lora.string() + ":1"}));

    const std::string image = (f.folder.path / "bold.apriori").string();
    const outcome packed =
        run({"pack", "--model", digits.string(), "--lora", f.lora.string() + ":0.8", "--out", image});
    EXPECT_EQ(packed.code, 0) << packed.err;
    EXPECT_EQ(f.embeddings({"--packed", image}), with);
}

TEST(lora, is_named_in_the_output) {
    const lora_folder f;
    const std::string other = (f.folder.path / "thin.safetensors").string();
    write_lora(other);
    const auto file = f.sampled({"--lora", f.lora.string() + ":0.5", "--lora", other + ":-0.25"});
    EXPECT_EQ(metadata_of(file, "loras"),
              R"([{"file":"bold.safetensors","weight":0.5},{"file":"thin.safetensors","weight":-0.25}])");
    EXPECT_EQ(metadata_of(f.sampled({}), "loras"), "");
}

TEST(lora, takes_paths_with_colons) {
    const lora_folder f;
    const path odd = f.folder.path / "a:0.5";
    std::filesystem::copy_file(f.lora, odd);
    const auto whole = f.embeddings({"--lora", f.lora.string()});
    EXPECT_EQ(f.embeddings({"--lora", odd.string()}), whole);
    EXPECT_EQ(f.embeddings({"--lora", odd.string() + ":1"}), whole);
    expect_refused(run(sample({"--lora", (f.folder.path / "b:c").string(), "seven"})), "b:c: cannot open");
}

TEST(lora, is_timed) {
    const lora_folder f;
    const outcome o =
        run({"bench", "--preset", "digits", "--lora", f.lora.string(), "--steps", "2", "--repeats", "1", "--json"});
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("\"merged\""), std::string::npos) << o.out;
}

TEST(lora, is_refused_where_it_cannot_be) {
    const lora_folder f;
    const std::string image = (f.folder.path / "plain.apriori").string();
    ASSERT_EQ(run({"pack", "--model", digits.string(), "--out", image}).code, 0);
    expect_refused(run(sample({"--packed", image, "--lora", f.lora.string(), "seven"})), "apriori pack --lora");
    expect_refused(run({"bench", "--preset", "digits", "--packed", image, "--lora", f.lora.string()}),
                   "apriori pack --lora");
    for (const char* weight : {":nan", ":inf", ":-inf", ":1e400", ":-1e400", ":1e-400"})
        expect_refused(run(sample({"--lora", f.lora.string() + weight, "seven"})), "the weight a finite number");
    expect_refused(run(sample({"--lora", f.lora.string() + ":2x", "seven"})), ":2x: cannot open");
    expect_refused(run(sample({"--lora", (digits / "conditions.safetensors").string(), "seven"})),
                   "conditions.safetensors: tensor");
    const path other = f.folder.path / "other.safetensors";
    write_lora(other, "transformer_blocks.9.attn1.to_v");
    expect_refused(run(sample({"--lora", other.string(), "seven"})),
                   "no tensor 'transformer_blocks.9.attn1.to_v.weight'");
    expect_refused(run({"pack", "--verify", image, "--lora", f.lora.string()}), "or --verify alone");
    expect_refused(run({"pack", "--model", digits.string(), "--lora", f.lora.string(), "--out", f.lora.string()}),
                   "must not replace an input");
    expect_refused(run(sample({"--lora", f.lora.string(), "--out", f.lora.string(), "seven"})),
                   "must not replace an input");
}

} // namespace
