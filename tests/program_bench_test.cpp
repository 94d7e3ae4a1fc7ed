// SPDX-License-Identifier: Apache-2.0
// apriori bench: one JSON object with consistent numbers, and a table of the same numbers.
#include "program_testing.hpp"

#include <nlohmann/json.hpp>

namespace {

using namespace program_testing;
using json = nlohmann::json;

json bench(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"bench", "--json", "--repeats", "1"});
    const outcome o = run(arguments);
    EXPECT_EQ(o.code, 0) << o.err;
    return json::parse(o.out, nullptr, false);
}

TEST(bench, prints_one_object_whose_numbers_fit_together) {
    const json o =
        bench({"--preset", "digits", "--threads", "2", "--steps", "5", "--tokens", "6", "--rows-forward", "3"});
    ASSERT_TRUE(o.is_object());
    EXPECT_EQ(o["model"], "digits");
    EXPECT_EQ(o["source"], "synthetic");
    EXPECT_EQ(o["threads"], 2);
    EXPECT_EQ(o["tokens"], 6);
    EXPECT_EQ(o["unconditional_tokens"], 2);
    EXPECT_EQ(o["steps"], 5);
    EXPECT_GT(o["weight_bytes"], 862'400 * 4);
    EXPECT_GT(o["peak_memory_bytes"], o["weight_bytes"]);
    EXPECT_GT(o["ceilings"]["gflops"], 0.0);
    EXPECT_GT(o["ceilings"]["gbytes_per_second"], 0.0);
    for (const char* work :
         {"prefix", "kv_cache", "step", "sample", "sample_kept", "forward_1", "forward_2", "forward_3"}) {
        SCOPED_TRACE(work);
        const double seconds = o["seconds"].value(work, 0.0), floor = o["floor_seconds"].value(work, 0.0);
        EXPECT_GT(seconds, 0);
        EXPECT_GT(floor, 0);
        EXPECT_GE(o["runs"].value(work, 0), 1);
        EXPECT_NEAR(o["of_floor"].value(work, 0.0), floor / seconds, 1e-9 * floor / seconds);
    }
    // the parts of a sampling: five steps, and the rows of 6 + 1 and of 2 + 1 tokens, and of five timesteps twice
    const double row = 24.0 * 128 * 128 * 4, gflops = o["ceilings"]["gflops"];
    EXPECT_NEAR(o["floor_seconds"]["sample"].get<double>(),
                (7 + 3 + 10) * row * 1e-9 / gflops + 5 * o["floor_seconds"]["step"].get<double>(), 1e-9);
    EXPECT_NEAR(o["floor_seconds"]["sample_kept"].get<double>(),
                (7 + 5) * row * 1e-9 / gflops + 5 * o["floor_seconds"]["step"].get<double>(), 1e-9);
    for (const char* name : {"load", "start_to_ready", "first"}) EXPECT_GT(o["seconds"].value(name, 0.0), 0.0) << name;
    EXPECT_LE(o["seconds"]["load"], o["seconds"]["start_to_ready"]);
}

TEST(bench, takes_the_weights_of_a_folder) {
    EXPECT_EQ(bench({"--model", digits.string(), "--steps", "2"})["source"], "stored");
}

TEST(bench, takes_the_weights_beside_a_file_of_the_working_directory) {
    const outcome o = command(program, {"bench", "--json", "--repeats", "1", "--steps", "2", "--model", "config.json"})
                          .in(digits / "prior")
                          .run();
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(json::parse(o.out)["source"], "stored");
}

TEST(bench, prints_a_path_that_is_not_utf8) {
    const temporary_folder folder;
    const path odd = folder.path / "odd\xFF";
    std::filesystem::create_directory_symlink(digits / "prior", odd);
    const auto model = bench({"--model", odd.string(), "--steps", "2"})["model"];
    ASSERT_TRUE(model.is_string());
    EXPECT_TRUE(model.get<std::string>().ends_with("/odd\uFFFD"));
}

TEST(bench, prints_a_table) {
    const outcome o = run({"bench", "--preset", "digits", "--repeats", "1", "--steps", "2"});
    ASSERT_EQ(o.code, 0) << o.err;
    for (const char* part :
         {"digits, synthetic weights", "ceilings in this run", "sample_kept", "forward_2", "peak memory"})
        EXPECT_NE(o.out.find(part), std::string::npos) << o.out << "lacks " << part;
}

TEST(bench, refuses_what_cannot_be_timed) {
    expect_refused(run({"bench"}), "--model or --preset is required, and not both");
    expect_refused(run({"bench", "--preset", "digits", "--model", digits.string()}), "and not both");
    expect_refused(run({"bench", "--preset", "numerals"}),
                   "--preset: 'numerals' is not allowed; allowed: karlo_v1_alpha");
    expect_refused(run({"bench", "--preset", "digits", "--tokens", "17"}), "--tokens 17: the model takes 1 to 16");
    expect_refused(run({"bench", "--preset", "digits", "--steps", "1001"}), "--steps 1001");
    expect_refused(run({"bench", "--model", "none"}), "none: no such file or folder");
}

} // namespace
