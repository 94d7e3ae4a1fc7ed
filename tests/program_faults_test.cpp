// SPDX-License-Identifier: Apache-2.0
// Injected faults: allocations that fail, disks that are full, and disks that fail.
#include "program_testing.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sys/mman.h>

namespace {

using namespace program_testing;

/// Runs a command repeatedly; each time another of its allocations fails.
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
        if (o.code == 0) { // the allocation was not essential
            EXPECT_EQ(read_all(out), expected);
            continue;
        }
        ++failed;
        EXPECT_EQ(o.code, 3) << o.err;
        EXPECT_NE(o.err.find("no memory"), std::string::npos) << o.err;
        EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
        // the failure may come after it was written
        EXPECT_TRUE(!std::filesystem::exists(out) || read_all(out) == expected);
    }
    EXPECT_GT(failed, 100);
}

TEST(faults, no_memory_while_sampling) {
    const temporary_folder folder;
    const path out = folder.path / "e.safetensors";
    // On one thread: Eigen's thread pool does not check its allocations.
    expect_to_survive(sample({"--steps", "2", "--threads", "1", "--out", out.string(), "seven"}), out);
    EXPECT_LE(folder.files(), 1U);
}
TEST(faults, no_memory_while_packing) {
    const temporary_folder folder;
    const path out = folder.path / "packed";
    expect_to_survive({"pack", "--model", digits.string(), "--weights", "w8", "--threads", "1", "--out", out.string()},
                      out);
    EXPECT_LE(folder.files(), 1U);
}

// ---- outputs -------------------------------------------------------------------------------------------------------

/// A run of `arguments`, with the failures of fail_io.cpp that `variables` select.
outcome failing(const path& executable, std::vector<std::string> arguments, const std::vector<std::string>& variables) {
    command c(executable, std::move(arguments));
    c.with("LD_PRELOAD=" APRIORI_FAIL_IO);
    for (const std::string& v : variables) c.with(v);
    return c.run();
}

/// The arguments of every command that writes a file, here into `folder`.
std::vector<std::vector<std::string>> writers(const path& folder, const path& embeds) {
    const auto out = [&](const char* name) { return (folder / name).string(); };
    const std::string model = digits.string(), image = embeds.string();
    const path lines = embeds.parent_path() / "lines.jsonl";
    std::ofstream(lines) << "{\"prompt\": \"seven\", \"num_inference_steps\": 1}\n";
    return {sample({"--steps", "1", "--out", out("e.safetensors"), "seven"}),
            sample({"--steps", "1", "--out", out("e.npy"), "seven"}),
            sample({"--steps", "1", "--png", out("e.png"), "seven"}),
            {"encode", "--model", model, "--out", out("c.safetensors"), "seven"},
            {"emb2emb", "--model", model, "--steps", "5", "--image", image, "--out", out("e.npy"), "seven"},
            {"interpolate", "--model", model, "--image", image, "1", "--out", out("e.npy")},
            {"sample", "--model", model, "--batch", lines.string(), "--out", folder.string()},
            {"pack", "--model", model, "--weights", "f32", "--out", out("packed")}};
}

/// Positions in the file that `arguments` writes into `folder`, at which a write can fail: the start, byte 1, the
/// middle, and the last byte. The folder is empty again afterwards.
std::vector<long> places(const std::vector<std::string>& arguments, const temporary_folder& folder) {
    const outcome o = run(arguments);
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(folder.files(), 1U);
    long size = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder.path)) {
        size = static_cast<long>(file.file_size());
        std::filesystem::remove(file);
    }
    return {0, 1, size / 2, size - 1};
}

/// An embedding of the digits, as a file.
path write_embeds(const temporary_folder& folder) {
    const path file = folder.path / "embeds.npy";
    EXPECT_EQ(run(sample({"--steps", "1", "--out", file.string(), "seven"})).code, 0);
    return file;
}

TEST(faults, the_disk_is_full) {
    const temporary_folder in, folder;
    for (const auto& arguments : writers(folder.path, write_embeds(in)))
        for (const long most : places(arguments, folder)) {
            SCOPED_TRACE(arguments[0] + ", full at " + std::to_string(most));
            const outcome o = command(program, arguments).files_up_to(static_cast<rlim_t>(most)).run();
            EXPECT_EQ(o.code, 2) << o.err;
            EXPECT_NE(o.err.find("cannot write: File too large"), std::string::npos) << o.err;
            EXPECT_EQ(folder.files(), 0U);
        }
}

TEST(faults, the_disk_fails_in_an_output) {
    const temporary_folder in, folder;
    for (const auto& arguments : writers(folder.path, write_embeds(in))) {
        const auto expect_failure = [&](const std::string& call, long from) {
            SCOPED_TRACE(arguments[0] + ", " + call + " at " + std::to_string(from));
            const outcome o =
                failing(program, arguments, {"FAIL_IO_CALL=" + call, "FAIL_IO_AT=" + std::to_string(from)});
            expect_refused({o.code, "", o.err}, "cannot write: Input/output error");
            EXPECT_EQ(folder.files(), 0U);
        };
        for (const long from : places(arguments, folder)) expect_failure("write", from);
        expect_failure("fsync", 0);
    }
}

// Files are complete all the same, but lost output is an error.
TEST(faults, the_standard_output_is_full) {
    const temporary_folder folder;
    const path out = folder.path / "e.safetensors", packed = folder.path / "packed";
    const std::vector<std::string> commands[] = {
        {"--version"},
        {"--help"},
        {"info"},
        {"info", "digits"},
        {"bench", "--preset", "digits", "--steps", "1", "--repeats", "1"},
        {"bench", "--preset", "digits", "--steps", "1", "--repeats", "1", "--json"},
        {"pack", "--preset", "digits", "--out", packed.string()},
        {"pack", "--verify", packed.string()},
        sample({"--steps", "1", "--out", out.string(), "seven"})};
    for (const auto& arguments : commands) {
        SCOPED_TRACE(arguments[0]);
        expect_refused(command(program, arguments).writing("/dev/full").run(), "standard output cannot be written");
    }
    expect_refused(command(reference_program, {"verify", (cases / "tiny").string()}).writing("/dev/full").run(),
                   "standard output cannot be written");
    EXPECT_EQ(run({"pack", "--verify", packed.string()}).code, 0);
    EXPECT_EQ(run({"emb2emb", "--model", digits.string(), "--image", out.string(), "seven"}).code, 0);
    EXPECT_EQ(folder.files(), 2U);
}

// A message that is lost does not end a run, and changes no exit code.
TEST(faults, the_standard_error_is_full_or_closed) {
    const temporary_folder folder;
    const path out = folder.path / "e.safetensors";
    std::string lengthy = "seven"; // more tokens than the model reads, which it says
    for (int i = 0; i < 40; ++i) lengthy += " seven";
    for (const bool closed : {false, true}) {
        const auto code = [&](std::vector<std::string> arguments) {
            command c(program, std::move(arguments));
            if (closed)
                c.without({2});
            else
                c.complaining("/dev/full");
            return c.run().code;
        };
        EXPECT_EQ(code({"--nope"}), 2);
        EXPECT_EQ(code({"info", "none"}), 2);
        EXPECT_EQ(code({"sample", "--model", digits.string(), "--steps", "1", "--out", out.string(), lengthy}), 0);
        EXPECT_TRUE(std::filesystem::remove(out));
    }
}

// A file takes the lowest free number, which is a closed stream's: messages would go into it.
TEST(faults, closed_standard_streams_are_not_the_files) {
    const temporary_folder folder;
    const path whole = folder.path / "whole.npy", out = folder.path / "e.npy";
    const auto run_to = [](const path& file, std::vector<int> closed) {
        return command(program, sample({"--steps", "1", "--out", file.string(), "seven"}))
            .without(std::move(closed))
            .run()
            .code;
    };
    EXPECT_EQ(run_to(whole, {}), 0);
    EXPECT_EQ(run_to(out, {0, 2}), 0);
    EXPECT_EQ(read_all(out), read_all(whole));
    EXPECT_EQ(run_to(out, {0, 1, 2}), 2); // what it prints is lost
    EXPECT_EQ(read_all(out), read_all(whole));
}

// ---- inputs --------------------------------------------------------------------------------------------------------

/// Every input of every command fails from its middle on.
TEST(faults, the_disk_fails_in_an_input) {
    const temporary_folder in, folder;
    const path npy = write_embeds(in), embeds = in.path / "embeds.safetensors", packed = in.path / "packed",
               lines = in.write("lines.jsonl",
                                [] {
                                    std::string text;
                                    for (int i = 0; i < 40; ++i)
                                        text += "{\"prompt\": \"seven\", \"num_inference_steps\": 1}\n";
                                    return text;
                                }()),
               lora = path(APRIORI_TEST_DATA) / "lora" / "plain.safetensors";
    ASSERT_EQ(run(sample({"--steps", "1", "--out", embeds.string(), "seven"})).code, 0);
    ASSERT_EQ(run({"pack", "--model", digits.string(), "--out", packed.string()}).code, 0);
    const std::string model = digits.string(), out = (folder.path / "e.safetensors").string();
    const path prior = digits / "prior" / "diffusion_pytorch_model.safetensors",
               conditions = digits / "conditions.safetensors";

    const auto expect_failure = [&](const path& executable, std::vector<std::string> arguments,
                                    const std::vector<path>& inputs) {
        for (const path& input : inputs) {
            SCOPED_TRACE(arguments[0] + " with a bad " + input.string());
            const auto size = std::filesystem::file_size(input);
            const outcome o = failing(executable, arguments,
                                      {"FAIL_IO_FILE=" + input.string(), "FAIL_IO_AT=" + std::to_string(size / 2)});
            expect_refused({o.code, "", o.err}, "cannot be read");
            EXPECT_EQ(folder.files(), 0U);
        }
    };
    const std::vector<path> pipeline{digits / "model_index.json",
                                     digits / "prior" / "config.json",
                                     prior,
                                     digits / "scheduler" / "scheduler_config.json",
                                     digits / "text_encoder" / "config.json",
                                     digits / "text_encoder" / "model.safetensors",
                                     digits / "tokenizer" / "merges.txt",
                                     digits / "tokenizer" / "tokenizer_config.json",
                                     digits / "tokenizer" / "vocab.json",
                                     digits / "decoder" / "config.json",
                                     digits / "decoder" / "model.safetensors"};
    expect_failure(program, {"sample", "--model", model, "--steps", "1", "--out", out, "seven"}, pipeline);
    expect_failure(program, sample({"--steps", "1", "--out", out}), {conditions, prior});
    expect_failure(program, sample({"--steps", "1", "--out", out, "--packed", packed.string()}), {packed});
    expect_failure(program, sample({"--steps", "1", "--out", out, "--lora", lora.string()}), {lora});
    for (const path& image : {npy, embeds}) {
        expect_failure(program, {"emb2emb", "--model", model, "--image", image.string(), "--out", out, "seven"},
                       {image});
        expect_failure(program, {"interpolate", "--model", model, "--image", image.string(), "1", "--out", out},
                       {image});
    }
    expect_failure(program, {"sample", "--model", model, "--batch", lines.string(), "--out", folder.path.string()},
                   {lines, prior});
    expect_failure(program, {"pack", "--model", model, "--out", out}, {prior});
    expect_failure(program, {"pack", "--verify", packed.string()}, {packed});
    expect_failure(program, {"bench", "--model", model, "--packed", packed.string()}, {packed});
    const path tiny = cases / "tiny";
    expect_failure(reference_program, {"verify", tiny.string()},
                   {tiny / "config.json", tiny / "cases.safetensors", tiny / "diffusion_pytorch_model.safetensors"});
}

/// Lines from the standard input are sampled as they arrive: those before the failure are written, and the failure is
/// not mistaken for the end.
TEST(faults, the_standard_input_breaks_off) {
    const long page = ::sysconf(_SC_PAGESIZE);
    std::string lines;
    for (int i = 0; i < 3; ++i) lines += "{\"prompt\": \"seven\", \"num_inference_steps\": 1}\n";
    for (const std::size_t cut : {std::size_t{0}, std::size_t{10}}) { // between two lines, and within one
        SCOPED_TRACE(cut);
        const temporary_folder folder;
        // This process's memory as a file: after the text come pages past the end of a mapped file, which cannot be
        // read.
        const int file = ::memfd_create("page", MFD_CLOEXEC), memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        ASSERT_GE(memory, 0);
        ASSERT_EQ(::ftruncate(file, page), 0);
        void* pages = ::mmap(nullptr, static_cast<std::size_t>(2 * page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ASSERT_NE(pages, MAP_FAILED);
        char* text = static_cast<char*>(pages) + page - static_cast<long>(lines.size() - cut);
        lines.copy(text, lines.size() - cut);
        ASSERT_GE(::lseek(memory, static_cast<off_t>(reinterpret_cast<std::uintptr_t>(text)), SEEK_SET), 0);
        const outcome o =
            command(program, {"sample", "--model", digits.string(), "--batch", "-", "--out", folder.path.string()})
                .reading(memory)
                .run();
        ::munmap(pages, static_cast<std::size_t>(2 * page));
        ::close(memory);
        ::close(file);
        const std::size_t whole = cut == 0 ? 3 : 2;
        expect_refused({o.code, "", o.err}, "standard input: cannot be read to its end: line " + std::to_string(whole) +
                                                " is the last that was read");
        EXPECT_EQ(folder.files(), whole);
    }
}

} // namespace
