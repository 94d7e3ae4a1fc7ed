// SPDX-License-Identifier: Apache-2.0
// Faults on purpose: memory that is not there, and disks that are full.
#include "program_testing.hpp"

#include <string>

namespace {

using namespace program_testing;

/// Runs a command again and again; each time another of its allocations fails.
void expect_to_survive(std::vector<std::string> arguments, const path& out) {
    const temporary_folder folder;
    const path count = folder.path / "count";
    const auto run_with = [&](const std::string& variable) {
        return command(program, arguments).with("LD_PRELOAD=" APRIORI_FAIL_MALLOC).with(variable).run();
    };
    const outcome whole = run_with("FAIL_MALLOC_COUNT=" + count.string());
    ASSERT_EQ(whole.code, 0) << whole.err;
    const std::string expected = read_all(out);
    const int allocations = std::stoi(read_all(count));
    ASSERT_GT(allocations, 1000);

    int failed = 0;
    for (int at = 0; at < allocations; at += at < 40 ? 1 : allocations / 150 + 1) {
        std::filesystem::remove(out);
        const outcome o = run_with("FAIL_MALLOC_AT=" + std::to_string(at));
        SCOPED_TRACE("allocation " + std::to_string(at) + " of " + std::to_string(allocations));
        if (o.code == 0) { // what could do without
            EXPECT_EQ(read_all(out), expected);
            continue;
        }
        ++failed;
        EXPECT_EQ(o.code, 3) << o.err;
        EXPECT_NE(o.err.find("no memory"), std::string::npos) << o.err;
        EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
        EXPECT_TRUE(!std::filesystem::exists(out) || read_all(out) == expected); // there, if what failed came after it
    }
    EXPECT_GT(failed, 100);
}

TEST(faults, no_memory_while_sampling) {
    const temporary_folder folder;
    const path out = folder.path / "e.safetensors";
    // On one thread: Eigen's pool of threads does not look whether it was given its memory.
    expect_to_survive(sample({"--steps", "2", "--threads", "1", "--out", out.string(), "seven"}), out);
    EXPECT_LE(folder.files(), 1U);
}
TEST(faults, no_memory_while_packing) {
    const temporary_folder folder;
    const path out = folder.path / "packed";
    expect_to_survive({"pack", "--model", digits.string(), "--weights", "w8", "--out", out.string()}, out);
    EXPECT_LE(folder.files(), 1U);
}

// Every output is larger than a file may become.
TEST(faults, the_disk_is_full) {
    const temporary_folder folder;
    const auto expect_refused_at = [&](rlim_t most, std::vector<std::string> arguments) {
        const outcome o = command(program, std::move(arguments)).in(folder.path).files_up_to(most).run();
        EXPECT_EQ(o.code, 2) << o.err;
        EXPECT_NE(o.err.find("cannot write: File too large"), std::string::npos) << o.err;
        EXPECT_EQ(folder.files(), 0U);
    };
    for (const rlim_t most : {0, 1, 60}) {
        expect_refused_at(most, sample({"--steps", "1", "--out", "e.safetensors", "seven"}));
        expect_refused_at(most, sample({"--steps", "1", "--out", "e.npy", "seven"}));
        expect_refused_at(most, sample({"--steps", "1", "--png", "e.png", "seven"}));
        expect_refused_at(most, {"encode", "--model", digits.string(), "--out", "c.safetensors", "seven"});
    }
    expect_refused_at(100'000, {"pack", "--model", digits.string(), "--weights", "f32", "--out", "packed"});
}

} // namespace
