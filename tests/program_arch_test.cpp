// SPDX-License-Identifier: Apache-2.0
// Instruction sets and weight formats of the program: all give the same pictures, also on old machines.
#include "apriori/io/safetensors.hpp"
#include "program_testing.hpp"

#include <algorithm>
#include <cmath>

namespace {

using namespace program_testing;

/// The embeddings that a program samples for two prompts, three for each.
std::vector<float> embeddings(const path& executable, std::vector<std::string> more) {
    const temporary_folder folder;
    const path file = folder.path / "e.safetensors";
    std::vector<std::string> arguments = sample(
        {"--samples", "3", "--steps", "6", "--threads", "1", "--out", file.string(), "seven", "a handwritten two"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    if (executable != program) arguments.insert(arguments.begin(), {"-cpu", "Nehalem", program.string()});
    const outcome o = command(executable, arguments).run();
    EXPECT_EQ(o.code, 0) << o.err;
    const auto source = apriori::io::open_weights(file);
    if (!source) return {};
    std::vector<float> values(6 * 64);
    EXPECT_TRUE(source->read(*source->find("image_embeds"), 0, values).ok());
    return values;
}

/// The largest difference divided by the largest magnitude.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double most = 0, error = a.size() == b.size() ? 0 : INFINITY;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        most = std::max(most, std::abs(static_cast<double>(b[i])));
        error = std::max(error, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return error / most;
}

TEST(arch, all_that_this_machine_runs_agree) {
    const auto expected = embeddings(program, {"--arch", "baseline"});
    int ran = 0;
    for (const std::string& arch : listed("instruction sets of cpu: ")) {
        SCOPED_TRACE(arch);
        const outcome o = run({"info", "--arch", arch});
        if (o.code != 0) {
            expect_refused(o, "this machine does not run the build called " + arch);
            continue;
        }
        EXPECT_LT(distance(embeddings(program, {"--arch", arch}), expected), 1e-4);
        ++ran;
    }
    EXPECT_GE(ran, 1);
}

TEST(arch, an_old_machine_gets_the_same_embeddings) {
#ifdef APRIORI_QEMU
    EXPECT_LT(distance(embeddings(APRIORI_QEMU, {}), embeddings(program, {})), 1e-4);
    const outcome o = command(APRIORI_QEMU, {"-cpu", "Nehalem", program.string(), "info", "--arch", "avx2"}).run();
    EXPECT_EQ(o.code, 2);
    EXPECT_NE(o.err.find("avx2"), std::string::npos) << o.err;
#else
    GTEST_SKIP() << "qemu-x86_64 is not here (Debian: apt install qemu-user)";
#endif
}

/// The largest distance that a format may cause. w8a8, which rounds activations to eight bits, causes 0.03 to 0.15 with
/// seeds 0 to 6; w8 0.014 to 0.021.
double most_error(const std::string& format) { return format == "w4" ? 0.5 : format == "w8a8" ? 0.3 : 0.05; }

TEST(weights, narrow_formats_stay_near_the_full_one) {
    const auto expected = embeddings(program, {});
    for (const std::string& format : listed("weight formats of cpu: ")) {
        SCOPED_TRACE(format);
        const double error = distance(embeddings(program, {"--weights", format}), expected);
        EXPECT_LT(error, most_error(format));
        EXPECT_EQ(error == 0, format == "f32");
        const outcome o = run({"info", "digits", "--weights", format});
        EXPECT_NE(o.out.find("B of " + format + " packed for cpu ("), std::string::npos) << o.out;
    }
}

} // namespace
