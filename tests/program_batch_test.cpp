// SPDX-License-Identifier: Apache-2.0
// Files of prompts through the program: each line gives what it would give on its own, runs that are stopped and
// resumed, bad input.
#include "apriori/io/npy.hpp"
#include "program_words.hpp"

#include <chrono>
#include <optional>
#include <random>
#include <utility>

namespace {

using namespace program_testing;

class Batch : public Words {
protected:
    outcome run_batch(const std::string& lines, std::vector<std::string> more = {}) {
        std::vector<std::string> all{"sample",
                                     "--model",
                                     (folder.path / "unclip").string(),
                                     "--batch",
                                     folder.write("prompts.jsonl", lines).string(),
                                     "--out",
                                     results.string()};
        all.insert(all.end(), more.begin(), more.end());
        return command(reference_program, std::move(all)).run();
    }
    const path results = folder.path / "results";
    const std::string three = "{\"prompt\": \"" + seven +
                              "\", \"seed\": 0, \"num_inference_steps\": 5}\n\n" //
                              "{\"prompt\": \"" +
                              two +
                              "\", \"negative_prompt\": \"bold\", \"num_images_per_prompt\": 2}\n" //
                              "{\"prompt\": \"\", \"seed\": 1, \"num_inference_steps\": 3, \"guidance_scale\": 4.0}";
};

TEST_F(Batch, ALineIsWhatItIsAlone) {
    const outcome o = run_batch(three, {"--steps", "4"});
    ASSERT_EQ(o.code, 0) << o.err;
    expect_near(tensor_of(results / "000001.safetensors", "image_embeds"), recorded("one.image_embeds"));
    expect_near(tensor_of(results / "000004.safetensors", "image_embeds"), recorded("empty.image_embeds"));
    ASSERT_EQ(run_on("unclip", "sample", {"--steps", "4", "--samples", "2", "--negative", "bold", two}).code, 0);
    EXPECT_EQ(tensor_of(results / "000003.safetensors", "image_embeds"), tensor_of(out, "image_embeds"));
}

// Lines with the same settings are sampled together, 16 rows at a time: 19 lines with 3 kinds of settings, two samples
// each.
TEST_F(Batch, ALineIsWhatItIsAmongOthers) {
    std::string lines;
    for (int i = 0; i < 19; ++i)
        lines += "{\"prompt\": \"" + (i % 3 == 0 ? seven : two) + "\", \"seed\": " + std::to_string(i) +
                 (i == 5 || i == 6 ? ", \"negative_prompt\": \"" + std::string(i == 5 ? "bold" : "thin") + "\"" : "") +
                 (i == 11 ? ", \"guidance_scale\": 2.0" : "") + "}\n";
    const std::vector<std::string> how{"--steps", "4", "--samples", "2"};
    const outcome o = run_batch(lines, how);
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("19 files made in "), std::string::npos) << o.out;
    std::vector<std::string> files;
    for (int i = 1; i <= 19; ++i) {
        char name[32];
        std::snprintf(name, sizeof name, "%06d.safetensors", i);
        files.push_back(read_all(results / name));
    }
    // each line again on its own: the files of the others exist
    for (const int i : {1, 6, 7, 12, 19}) {
        char name[32];
        std::snprintf(name, sizeof name, "%06d.safetensors", i);
        std::filesystem::remove(results / name);
        ASSERT_EQ(run_batch(lines, how).code, 0);
        EXPECT_EQ(read_all(results / name), files[static_cast<std::size_t>(i - 1)]) << i;
    }
}

TEST_F(Batch, GoesOnWhereItWasStopped) {
    ASSERT_EQ(run_batch(three, {"--steps", "4"}).code, 0);
    const auto last = results / "000004.safetensors", first = results / "000001.safetensors";
    const std::string bytes = read_all(last);
    const auto written = std::filesystem::last_write_time(first);
    std::filesystem::remove(last);
    const outcome o = run_batch(three, {"--steps", "4"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("1 file made, 2 there already, in"), std::string::npos) << o.out;
    EXPECT_EQ(read_all(last), bytes);
    EXPECT_EQ(std::filesystem::last_write_time(first), written);
    // files of another run are neither kept nor replaced
    const outcome other = run_batch(three, {"--steps", "7"});
    expect_refused({other.code, "", other.err},
                   "000003.safetensors: was made by another run: its steps is '4', that of this run '7'");
}

TEST_F(Batch, GoesIntoOneArray) {
    const std::string lines = "{\"prompt\": \"" + seven + "\", \"seed\": 1}\n\n{\"prompt\": \"" + two + "\"}\n";
    const path array = folder.path / "all.npy", prompts = folder.path / "prompts.jsonl";
    const auto run = [&](std::vector<std::string> more, const path& to) {
        more.insert(more.begin(), {"sample", "--model", (folder.path / "unclip").string(), "--steps", "4", "--samples",
                                   "2", "--batch", prompts.string(), "--out", to.string()});
        return command(reference_program, more).run();
    };
    ASSERT_EQ(run_batch(lines, {"--steps", "4", "--samples", "2"}).code, 0);
    const outcome o = run({"--resume"}, array); // there is nothing to resume
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("2 samples of 2 prompts in "), std::string::npos) << o.out;
    auto expected = tensor_of(results / "000001.safetensors", "image_embeds");
    const auto second = tensor_of(results / "000003.safetensors", "image_embeds");
    const auto width = static_cast<apriori::index_t>(expected.size() / 2);
    expected.insert(expected.end(), second.begin(), second.end());
    const auto made = apriori::io::read_npy(array);
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made->shape, (std::vector<apriori::index_t>{4, width}));
    EXPECT_EQ(made->values, expected);

    expect_refused(run({"--resume", "--guidance", "3"}, array),
                   "all.npy.manifest.json: is of another run: its 'guidance' is '4', that of this run '3'");
    expect_refused(run({"--resume"}, results), "--resume is for a --batch whose --out is one .npy");
    expect_refused(run({"--resumee"}, array), "--resumee");
    expect_refused(run({}, folder.path / "none" / "all.npy"), "--out ");
    std::filesystem::create_directory(folder.path / "folder.npy");
    expect_refused(run({}, folder.path / "folder.npy"), "folder.npy");
    folder.write("all.npy.part", "");
    expect_refused(run({}, array), "go on with it (--resume), or remove it");
    folder.write("prompts.jsonl", lines + "{\"prompt\": \"\", \"num_images_per_prompt\": 1}\n");
    expect_refused(run({"--resume"}, array),
                   "prompts.jsonl:4: num_images_per_prompt 1: all lines of one .npy have as many rows");
    folder.write("prompts.jsonl", "{\"prompt\": \"\", \"seed\": -1}\n");
    expect_refused(run({"--resume"}, array), "prompts.jsonl:1: seed -1: rows of one .npy may be made again");
}

/// A pipe that holds a text, for a program's standard input; `open` keeps its end from coming.
struct full_pipe {
    explicit full_pipe(const std::string& text, bool open = false) {
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
        if (!open) ::close(std::exchange(ends[1], -1));
    }
    ~full_pipe() {
        for (const int end : ends)
            if (end >= 0) ::close(end);
    }
    full_pipe(const full_pipe&) = delete;
    full_pipe& operator=(const full_pipe&) = delete;

    int ends[2] = {-1, -1};
};

// As of a shell's <(...): it can't be checked before it is read.
TEST_F(Batch, ReadsAPipeOnce) {
    const auto batch = [&](const path& to) {
        const full_pipe lines(three);
        return command(reference_program, {"sample", "--model", (folder.path / "unclip").string(), "--steps", "4",
                                           "--batch", "/dev/stdin", "--out", to.string()})
            .reading(lines.ends[0])
            .run();
    };
    const outcome o = batch(results);
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("3 files made in "), std::string::npos) << o.out;
    expect_refused(batch(folder.path / "all.npy"),
                   "--batch /dev/stdin is read once; all its lines in one .npy need a file");
}

TEST_F(Batch, ASignalEndsTheWaitingForALine) {
    using clock = std::chrono::steady_clock;
    for (const int signal : {SIGINT, SIGTERM}) {
        const full_pipe lines("{\"prompt\": \"a\", \"num_inference_steps\": 2}\n", true);
        std::optional<clock::time_point> made;
        const auto waits = [&](pid_t) {
            if (!made && std::filesystem::exists(results / "000001.safetensors")) made = clock::now();
            return made && clock::now() - *made > std::chrono::milliseconds(300);
        };
        const outcome o = command(reference_program, {"sample", "--model", (folder.path / "unclip").string(), "--batch",
                                                      "-", "--out", results.string()})
                              .reading(lines.ends[0])
                              .interrupted_by(signal, waits)
                              .run();
        EXPECT_EQ(o.code, 128 + signal) << o.err;
        EXPECT_NE(o.err.find("standard input: interrupted after line 1"), std::string::npos) << o.err;
        std::filesystem::remove_all(results);
    }
}

TEST_F(Batch, NullIsAsGoodAsAbsent) {
    const std::string line = "{\"prompt\": \"" + two + "\"";
    ASSERT_EQ(run_batch(line + "}", {"--steps", "4", "--seed", "7"}).code, 0);
    const auto first = results / "000001.safetensors";
    const std::string bytes = read_all(first);
    std::filesystem::remove(first);
    const outcome o = run_batch(line + ", \"negative_prompt\": null, \"num_images_per_prompt\": null, \"seed\": null, "
                                       "\"num_inference_steps\": null, \"guidance_scale\": null}",
                                {"--steps", "4", "--seed", "7"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(read_all(first), bytes);
}

TEST_F(Batch, ASeedOfMinusOneIsDrawnAndRecorded) {
    const std::string line = "{\"prompt\": \"" + two + "\", \"num_inference_steps\": 3, \"seed\": ";
    const std::string lines = line + "-1}\n" + line + "-1}\n";
    const auto file = [&](int i) { return results / ("00000" + std::to_string(i) + ".safetensors"); };
    const auto seed_of = [&](int i) {
        const auto source = apriori::io::safetensors_source::open(file(i));
        EXPECT_TRUE(source.ok());
        std::string seed;
        for (const auto& [key, value] : source->metadata())
            if (key == "seed") seed = value;
        return seed;
    };
    const outcome o = run_batch(lines);
    ASSERT_EQ(o.code, 0) << o.err;
    const std::string one = seed_of(1), other = seed_of(2);
    EXPECT_NE(one, other); // the same once in 4 thousand million runs
    EXPECT_NE(o.out.find("000001.safetensors  " + two + ", seed " + one + "\n"), std::string::npos) << o.out;
    // Existing files are kept; missing ones are sampled.
    const std::string bytes = read_all(file(1));
    std::filesystem::remove(file(2));
    ASSERT_EQ(run_batch(lines).code, 0);
    EXPECT_EQ(read_all(file(1)), bytes);
    EXPECT_EQ(seed_of(1), one);
    EXPECT_TRUE(std::filesystem::exists(file(2)));
    // The printed seed gives the same numbers again.
    const auto embeds = tensor_of(file(1), "image_embeds");
    ASSERT_EQ(run_on("unclip", "sample", {"--steps", "3", "--seed", one, two}).code, 0);
    EXPECT_EQ(tensor_of(out, "image_embeds"), embeds);
}

#if defined(APRIORI_FAIL_MALLOC) // and no sanitizer, which keeps freed memory
TEST(BatchOfDigits, TakesTheSameMemoryHoweverLongItIs) {
    const temporary_folder folder;
    const char* words[] = {"a handwritten one", "a bold handwritten two", "seven", "", "a thin eight leaning left"};
    std::string lines;
    for (int i = 0; i < 1000; ++i)
        lines += "{\"prompt\": \"" + std::string(words[i % 5]) + "\", \"seed\": " + std::to_string(i) + "}\n";
    const path results = folder.path / "results", prompts = folder.write("prompts.jsonl", lines);
    const auto is_done = [&](const char* line) { return std::filesystem::exists(results / line); };
    // Compares the most memory that is seen in use during lines 50 to 500 and during lines 500 to 1000. Pages of files
    // are not counted, since they depend on the system's cache. The number of samples depends on the machine, and a
    // line takes about 100 KiB while it is processed. 500 lines that are kept would take at least a KiB each: 16
    // embeddings and the prompt.
    const long kept = 500;
    long early = 0, late = 0;
    const auto look = [&](pid_t process) {
        std::istringstream status(read_all(path("/proc") / std::to_string(process) / "status"));
        long kib = 0;
        for (std::string word; status >> word;)
            if (word == "RssAnon:") status >> kib;
        if (is_done("000500.safetensors"))
            late = std::max(late, kib);
        else if (is_done("000050.safetensors"))
            early = std::max(early, kib);
        return false; // no signal
    };
    const outcome o =
        command(program, {"sample", "--model", digits.string(), "--mask-text-encoder", "--samples", "16", "--steps",
                          "1", "--threads", "1", "--batch", prompts.string(), "--out", results.string()})
            .with("MALLOC_TRIM_THRESHOLD_=131072") // otherwise glibc keeps a varying amount of freed memory
            .interrupted_by(SIGTERM, look)
            .run();
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_GT(early, 4000);
    EXPECT_LT(late, early + kept);
    EXPECT_GT(late, early - kept) << "it was not looked at";
}
#endif

TEST_F(Batch, StoppedAndRunAgainItIsWhole) {
    std::string lines;
    for (int i = 0; i < 12; ++i) lines += "{\"prompt\": \"" + two + "\", \"seed\": " + std::to_string(i) + "}\n";
    const path prompts = folder.write("prompts.jsonl", lines);
    const auto batch = [&](const path& to) {
        return command(reference_program, {"sample", "--model", (folder.path / "unclip").string(), "--batch",
                                           prompts.string(), "--out", to.string(), "--steps", "25", "--samples", "60"});
    };
    const auto file = [](int line) {
        char name[32];
        std::snprintf(name, sizeof name, "%06d.safetensors", line);
        return path(name);
    };
    const path whole = folder.path / "whole";
    ASSERT_EQ(batch(whole).run().code, 0);

    const outcome stopped =
        batch(results).interrupted_by(SIGINT, [&](pid_t) { return std::filesystem::exists(results / file(2)); }).run();
    EXPECT_EQ(stopped.code, 130) << stopped.err;
    EXPECT_NE(stopped.err.find("the same command goes on there"), std::string::npos) << stopped.err;
    EXPECT_FALSE(std::filesystem::exists(results / file(12))) << "the signal came when all was done";
    ASSERT_EQ(batch(results).run().code, 0);
    for (int i = 1; i <= 12; ++i) EXPECT_EQ(read_all(results / file(i)), read_all(whole / file(i))) << i;

    // If it is killed at any moment, it leaves only complete files.
    std::mt19937 random(1);
    int killed = 0, finished = 0;
    const int enough = sanitized ? 25 : 100;
    for (std::filesystem::remove_all(results); killed < enough && finished < 100;) {
        const double at = std::uniform_real_distribution(0.0, 0.15)(random); // in seconds
        const auto start = std::chrono::steady_clock::now();
        const outcome o =
            batch(results)
                .interrupted_by(
                    SIGKILL,
                    [&](pid_t) { return std::chrono::steady_clock::now() - start > std::chrono::duration<double>(at); })
                .run();
        ASSERT_TRUE(o.code == 0 || o.code == -SIGKILL) << o.code << o.err;
        ++(o.code == 0 ? finished : killed);
        int there = 0;
        for (int i = 1; i <= 12; ++i)
            if (std::filesystem::exists(results / file(i))) {
                ++there;
                ASSERT_EQ(read_all(results / file(i)), read_all(whole / file(i))) << i;
            }
        if (!std::filesystem::exists(results)) continue;
        EXPECT_EQ(std::distance(std::filesystem::directory_iterator(results), {}), there) << "something else is left";
        if (there == 12) std::filesystem::remove_all(results);
    }
    EXPECT_GE(killed, 20) << "the runs end before they are killed";
}

TEST_F(Batch, RefusesBrokenLinesBeforeItBegins) {
    const auto refuse = [&](const std::string& lines, const std::string& part) {
        expect_refused(run_batch(lines), part);
        EXPECT_FALSE(std::filesystem::exists(results));
    };
    const std::string good = "{\"prompt\": \"a\"}\n";
    refuse(good + "{\"prompt\": ", "prompts.jsonl:2:1:12: is not well-formed JSON");
    refuse(good + good + "[]", "prompts.jsonl:3: is [], not an object");
    refuse(good + "{}", "prompts.jsonl:2: has no field 'prompt'");
    refuse("{\"prompt\": 3}", "prompts.jsonl:1: field 'prompt' is 3; allowed: text");
    refuse("{\"prompt\": \"a\", \"promt\": 1}", "prompts.jsonl:1: unknown field 'promt'; a line has ");
    for (const char* seed : {"-2", "-1.0", "1.5", "\"1\"", "true"})
        refuse("{\"prompt\": \"a\", \"seed\": " + std::string(seed) + "}",
               "allowed: a whole number from 0 to 18446744073709551615, or -1 for one that is drawn");
    refuse("{\"prompt\": null}", "prompts.jsonl:1: has no field 'prompt'");
    refuse("{\"prompt\": \"a\", \"num_inference_steps\": 5000}", "prompts.jsonl:1: num_inference_steps 5000: ");
    for (const char* value : {"-2", "18446744073709551616", "1.5", "1e3", "\"5\"", "true", "[5]", "01", "NaN"})
        for (const char* field : {"seed", "num_inference_steps", "num_images_per_prompt"})
            refuse("{\"prompt\": \"a\", \"" + std::string(field) + "\": " + value + "}", "prompts.jsonl:1");
    for (const char* value : {"1e39", "-1e39", "1e400", "\"5\"", "true", "[5]", "01", "Infinity", "NaN"})
        refuse("{\"prompt\": \"a\", \"guidance_scale\": " + std::string(value) + "}", "prompts.jsonl:1");
    refuse("\n\n", "prompts.jsonl: holds no lines");
    expect_refused(run_batch(good, {"words"}), "--batch stands alone");
    expect_refused(run_batch(good, {"--png", "e.png"}), "--batch has none");
    expect_refused(command(reference_program, {"sample", "--model", "m", "--batch", "b"}).run(), "--batch needs --out");
    expect_refused(command(reference_program, {"sample", "--model", (folder.path / "unclip").string(), "--batch",
                                               (folder.path / "none").string(), "--out", results.string()})
                       .run(),
                   "none: cannot be read");
}

/// A batch with each of the other commands: a line gives what the command gives without a batch.
TEST_F(Words, EveryCommandTakesABatch) {
    const path results = folder.path / "results", first = results / "000001.safetensors";
    const auto batch = [&](const std::string& kind, const std::string& name, const std::string& line) {
        const path lines = folder.write(name + ".jsonl", line);
        std::filesystem::remove_all(results);
        return command(reference_program, {name, "--model", (folder.path / kind).string(), "--batch", lines.string(),
                                           "--out", results.string()})
            .run();
    };
    const auto embeds = recorded("embeds");
    const std::string image = embeds_file({embeds.begin(), embeds.begin() + 12}, {12}).string();
    outcome o = batch("kandinsky", "emb2emb",
                      "{\"prompt\": \"" + seven + "\", \"image\": \"" + image +
                          "\", \"strength\": 0.5, \"num_inference_steps\": 6, \"seed\": 3}");
    ASSERT_EQ(o.code, 0) << o.err;
    ASSERT_EQ(
        run_on("kandinsky", "emb2emb", {"--image", image, "--strength", "0.5", "--steps", "6", "--seed", "3", seven})
            .code,
        0);
    EXPECT_EQ(tensor_of(first, "image_embeds"), tensor_of(out, "image_embeds"));
    EXPECT_EQ(tensor_of(first, "negative_image_embeds"), tensor_of(out, "negative_image_embeds"));

    const std::string mixture = "{\"images_and_prompts\": [\"" + seven + "\", {\"image\": \"" + image +
                                "\"}], \"weights\": [0.25, 2], \"num_inference_steps\": 4";
    o = batch("unclip", "interpolate", mixture + "}");
    ASSERT_EQ(o.code, 0) << o.err;
    ASSERT_EQ(run_on("unclip", "interpolate", {"--steps", "4", "--text", seven, "0.25", "--image", image, "2"}).code,
              0);
    EXPECT_EQ(tensor_of(first, "image_embeds"), tensor_of(out, "image_embeds"));

    // What was made of a weight or of an image that is another now is neither kept nor replaced.
    const auto again = [&](const std::string& name, const std::string& line, const std::string& part) {
        const outcome r =
            command(reference_program, {name, "--model", (folder.path / "kandinsky").string(), "--batch",
                                        folder.write("again.jsonl", line).string(), "--out", results.string()})
                .run();
        EXPECT_EQ(r.code, part.empty() ? 0 : 2) << r.err;
        EXPECT_NE(r.err.find(part), std::string::npos) << r.err;
    };
    const auto mixed = [&](const std::string& weight) {
        return "{\"images_and_prompts\": [\"a\", {\"image\": \"" + image + "\"}], \"weights\": [" + weight + ", 1]}";
    };
    const std::string changed = "{\"prompt\": \"a\", \"image\": \"" + image + "\", \"strength\": 1}";
    for (const auto& [name, line] : {std::pair("interpolate", mixed("0.301")), std::pair("emb2emb", changed)}) {
        std::filesystem::remove_all(results);
        embeds_file({embeds.begin(), embeds.begin() + 12}, {12});
        again(name, line, "");
        again(name, line, "");
        if (line != changed)
            again(name, mixed("0.304"), "was made by another run: its mixture is '0.301 text + 1 image ");
        embeds_file({embeds.begin() + 12, embeds.begin() + 24}, {12});
        again(name, line, line == changed ? "its image_hash is" : "its mixture is");
    }

    o = batch("unclip", "encode", "{\"prompt\": \"" + two + "\"}");
    ASSERT_EQ(o.code, 0) << o.err;
    ASSERT_EQ(run_on("unclip", "encode", {two}).code, 0);
    EXPECT_EQ(tensor_of(first, two + ".last_hidden_state"), tensor_of(out, two + ".last_hidden_state"));

    expect_refused(batch("unclip", "emb2emb", "{\"prompt\": \"a\"}"), "emb2emb.jsonl:1: has no field 'image'");
    expect_refused(batch("unclip", "emb2emb", "{\"prompt\": \"a\", \"image\": \"none.npy\"}"),
                   "emb2emb.jsonl:1: none.npy");
    expect_refused(batch("unclip", "encode", "{\"prompt\": \"\"}"), "encode.jsonl:1: a text is ''");
    expect_refused(batch("unclip", "interpolate", "{\"prompt\": \"a\"}"),
                   "has no fields 'images_and_prompts' and 'weights'");
    expect_refused(batch("unclip", "interpolate", "{\"images_and_prompts\": [\"a\"], \"weights\": [1, 2]}"),
                   "field 'weights' is [1,2]; allowed: a list of 1 numbers");
    for (const char* value : {"1e39", "\"1\"", "null", "true"})
        expect_refused(batch("unclip", "interpolate",
                             "{\"images_and_prompts\": [\"a\"], \"weights\": [" + std::string(value) + "]}"),
                       "allowed: finite numbers");
    for (const char* value : {"0", "-0.5", "1.01", "\"1\"", "1e-7"})
        expect_refused(batch("unclip", "emb2emb",
                             "{\"prompt\": \"a\", \"image\": \"" + image + "\", \"strength\": " + value + "}"),
                       "emb2emb.jsonl:1: field 'strength' is ");
    expect_refused(batch("unclip", "interpolate", "{\"images_and_prompts\": [3], \"weights\": [1]}"),
                   "field 'images_and_prompts' is [3]; allowed: a list of texts");
}

} // namespace
