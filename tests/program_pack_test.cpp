// SPDX-License-Identifier: Apache-2.0
// apriori pack: an image gives the same bits as the weights that it was made from, and a damaged one is refused.
#include "program_testing.hpp"

#include <fstream>

namespace {

using namespace program_testing;

/// A weight format of the program, other than f32 if there is one.
std::string narrow() { return listed("weight formats of cpu: ").back(); }

struct packed_digits {
    temporary_folder folder;
    path image = folder.path / "digits.apriori";

    explicit packed_digits(const std::string& weights = "f32") {
        const outcome o = run({"pack", "--model", digits.string(), "--weights", weights, "--out", image.string()});
        EXPECT_EQ(o.code, 0) << o.err;
        EXPECT_NE(o.out.find(weights + " weights of cpu"), std::string::npos) << o.out;
    }
    path changed(const std::string& content) const {
        const path file = folder.path / "changed.apriori";
        std::ofstream(file, std::ios::binary) << content;
        return file;
    }
    std::string embeddings(std::vector<std::string> more) const {
        const path file = folder.path / "e.safetensors";
        more.insert(more.end(), {"--samples", "2", "--steps", "4", "--out", file.string(), "seven"});
        const outcome o = run(sample(more));
        EXPECT_EQ(o.code, 0) << o.err;
        return read_all(file);
    }
};

TEST(pack, gives_the_same_bytes_as_the_weights) {
    for (const std::string& format : {std::string("f32"), narrow()}) {
        const packed_digits p(format);
        const std::string expected = p.embeddings({"--weights", format});
        EXPECT_EQ(p.embeddings({"--packed", p.image.string()}), expected);
        EXPECT_EQ(p.embeddings({"--packed", p.image.string(), "--weights", format}), expected);
        const outcome whole = run({"pack", "--verify", p.image.string()});
        EXPECT_EQ(whole.code, 0) << whole.err;
        EXPECT_NE(whole.out.find("configuration digits: whole"), std::string::npos) << whole.out;
    }
}

TEST(pack, needs_no_weights_beside_the_image) {
    const packed_digits p;
    const path model = p.folder.path / "m";
    std::filesystem::copy(digits, model, std::filesystem::copy_options::recursive);
    std::filesystem::remove(model / "prior/diffusion_pytorch_model.safetensors");
    const outcome o =
        run({"sample", "--model", model.string(), "--conditions", (model / "conditions.safetensors").string(),
             "--packed", p.image.string(), "--steps", "2", "seven"});
    EXPECT_EQ(o.code, 0) << o.err;
    const outcome timed =
        run({"bench", "--model", model.string(), "--packed", p.image.string(), "--steps", "2", "--repeats", "1"});
    EXPECT_EQ(timed.code, 0) << timed.err;
    EXPECT_NE(timed.out.find("packed weights"), std::string::npos) << timed.out;
}

TEST(pack, is_the_same_file_for_synthetic_weights_each_time) {
    const temporary_folder folder;
    const path a = folder.path / "a", b = folder.path / "b";
    for (const path& file : {a, b})
        EXPECT_EQ(run({"pack", "--preset", "digits", "--weights", narrow(), "--out", file.string()}).code, 0);
    EXPECT_EQ(read_all(a), read_all(b));
}

TEST(pack, for_another_machine) {
    const temporary_folder folder;
    const path own = folder.path / "own", same = folder.path / "same", scalar = folder.path / "scalar";
    const auto pack = [&](std::vector<std::string> more, const path& to) {
        more.insert(more.begin(), {"pack", "--model", digits.string(), "--weights", narrow(), "--out", to.string()});
        return run(more);
    };
    EXPECT_EQ(pack({"--arch", "baseline"}, own).code, 0);
    EXPECT_EQ(pack({"--target", "neon"}, same).code, 0); // its registers hold as many floats as SSE2's
    EXPECT_EQ(read_all(same), read_all(own));
    const outcome o = pack({"--target", "scalar"}, scalar);
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("cpu panels of 2"), std::string::npos) << o.out;
    EXPECT_EQ(run({"pack", "--verify", scalar.string()}).code, 0);
    expect_refused(run(sample({"--packed", scalar.string(), "--weights", narrow(), "seven"})),
                   "was packed for cpu panels of 2, this device has");
    expect_refused(pack({"--target", "vax"}, scalar),
                   "'vax' is not allowed; allowed: scalar, sse2, neon, wasm, avx2, avx512");
    expect_refused(pack({"--target", "scalar", "--arch", "baseline"}, scalar), "--arch and --device are of this one");
}

TEST(pack, refuses_damaged_images) {
    const packed_digits p;
    const std::string good = read_all(p.image);
    const auto refused = [&](const std::string& content, const std::string& part) {
        SCOPED_TRACE(part);
        const path file = p.changed(content);
        expect_refused(run({"pack", "--verify", file.string()}), part);
        expect_refused(run(sample({"--packed", file.string(), "seven"})), part);
    };
    for (const std::size_t at : {0u, 8u, 12u, 16u, 24u, 32u, 40u, 48u, 56u, 72u, 136u, 143u, 144u, 4095u}) {
        std::string content = good;
        content[at] = static_cast<char>(content[at] ^ 1);
        refused(content, at < 8 ? "is not a packed file" : at < 16 ? "pack it again" : "its header is damaged");
    }
    for (const std::size_t length : {0u, 1u, 143u}) refused(good.substr(0, length), "too short for a packed file");
    for (const std::size_t length : {144u, 4095u, 4096u, 100'000u})
        refused(good.substr(0, length), "bytes long, and its header");
    refused(good + "x", "bytes long, and its header");
    std::string content = good;
    content.back() = static_cast<char>(content.back() ^ 1);
    expect_refused(run({"pack", "--verify", p.changed(content).string()}), "its payload is damaged");
}

TEST(pack, refuses_an_image_of_something_else) {
    const std::string format = narrow();
    const packed_digits p(format);
    if (format != "f32")
        expect_refused(run(sample({"--packed", p.image.string(), "--weights", "f32", "seven"})),
                       "holds " + format + " weights, not f32");
    expect_refused(run({"pack", "--verify", (digits / "conditions.safetensors").string()}), "is not a packed file");
    expect_refused(run({"pack", "--verify", "none"}), "none: cannot open");
    // an image packed by another program for a model of another configuration
    const path other = p.folder.path / "tiny.apriori";
    ASSERT_EQ(
        command(reference_program, {"pack", "--model", (cases / "tiny").string(), "--out", other.string()}).run().code,
        0);
    expect_refused(run(sample({"--packed", other.string(), "seven"})), "was packed for another configuration");
}

TEST(pack, refuses_what_it_cannot_do) {
    const temporary_folder folder;
    expect_refused(run({"pack"}), "needs --model or --preset, and --out");
    expect_refused(run({"pack", "--preset", "digits"}), "and --out");
    expect_refused(run({"pack", "--preset", "digits", "--out", "x", "--verify", "x"}), "or --verify alone");
    expect_refused(run({"pack", "--preset", "digits", "--out", "none/x"}), "none/x: cannot write");
    expect_refused(run({"pack", "--model", "none", "--out", "x"}), "none: no such file or folder");
    const path weights = digits / "prior/diffusion_pytorch_model.safetensors";
    expect_refused(run({"pack", "--model", digits.string(), "--out", weights.string()}), "must not replace an input");
    std::filesystem::copy_file(digits / "prior/config.json", folder.path / "config.json");
    expect_refused(run({"pack", "--model", folder.path.string(), "--out", "x"}), "holds no weights");
}

} // namespace
