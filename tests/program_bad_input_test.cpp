// SPDX-License-Identifier: Apache-2.0
// Bad input gives one clear line on stderr, exit code 2, and no file.
#include "program_testing.hpp"

#include <algorithm>
#include <functional>

namespace {

using namespace program_testing;

/// Samples into an empty folder and expects an error.
void refuse(std::vector<std::string> arguments, const std::string& part) {
    SCOPED_TRACE(part);
    const temporary_folder folder;
    expect_refused(command(program, std::move(arguments)).in(folder.path).run(), part);
    EXPECT_EQ(folder.files(), 0U);
}

std::vector<std::string> with_outputs(std::vector<std::string> more) {
    more.insert(more.begin(), {"--out", "e.safetensors", "--png", "e.png"});
    return sample(more);
}

TEST(bad_input, options) {
    refuse({}, "no command is given; allowed: sample, interpolate, emb2emb, encode, verify");
    refuse({"frobnicate"}, "frobnicate");
    refuse({"--frobnicate"}, "--frobnicate");
    refuse({"sample"}, "--model is required");
    refuse({"verify"}, "DIR is required");
    refuse(with_outputs({"--frobnicate"}), "--frobnicate");
    refuse(with_outputs({"--steps"}), "--steps");
    refuse(with_outputs({"--steps", "0"}), "--steps: '0' is not allowed; allowed: 1 to");
    refuse(with_outputs({"--steps", "-1"}), "--steps: '-1'");
    refuse(with_outputs({"--steps", "1.5"}), "--steps: '1.5'");
    refuse(with_outputs({"--steps", "1001"}), "--steps 1001: UnCLIPScheduler: num_inference_steps must be 1 to");
    refuse(with_outputs({"--samples", "0"}), "--samples: '0' is not allowed; allowed: 1 to 65536");
    refuse(with_outputs({"--samples", "99999999999999999999"}), "--samples");
    refuse(with_outputs({"--samples", "2", "--samples", "3"}), "--samples");
    refuse(with_outputs({"--guidance", "nan"}), "--guidance: 'nan' is not allowed; allowed: a finite number");
    refuse(with_outputs({"--guidance", "-inf"}), "--guidance: '-inf'");
    refuse(with_outputs({"--guidance", "much"}), "--guidance: 'much'");
    refuse(with_outputs({"--seed", "-1"}), "--seed: '-1' is not allowed; allowed: 0 to 18446744073709551615");
    refuse(with_outputs({"--threads", "0"}), "--threads: '0'");
    refuse(with_outputs({"--device", "tpu"}), "--device: 'tpu' is not allowed; allowed: cpu, eigen, cuda");
    refuse(with_outputs({"--weights", "w5"}),
           "--weights: 'w5' is not allowed; allowed: f32, f16, bf16, bf16a16, w8, w8a8, w4, w4a8");
    refuse(with_outputs({"--arch", "sse9"}), "--arch sse9: there is no build called sse9; there are ");
    refuse({"info", "--arch", "sse9"}, "there is no build called sse9");
    refuse({"info", "[none]"}, "[none]: no such file or folder");
    refuse(with_outputs({"--negative=", "a fox"}),
           "'--negative=' has no value; an empty one is an argument of its own: --negative ''");
    refuse({"info", "digits", "--rows", "0"}, "--rows: '0'");
}

/// Every number of every command: values that are not numbers of the right kind, or are out of range.
TEST(bad_input, numbers) {
    struct number {
        std::vector<std::string> before; ///< the command and its arguments before the number
        const char *option, *allowed;
        std::vector<std::string> more_bad; ///< besides those that are bad for all numbers
    };
    struct shared {
        const char *option, *allowed;
        std::vector<std::string> more_bad;
    };
    const std::vector<std::string> bad{"",    " 5",   "5 ",  "5x",  "x",    "+5",    "0x10",
                                       "nan", "-nan", "inf", "1,5", "-inf", "1e400", "\xd9\xa3"};
    const std::vector<std::string> whole{"-1", "1.5", "1e2", "5.", "18446744073709551616", "99999999999999999999999"};
    const auto with = [](std::vector<std::string> a, const std::vector<std::string>& b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    };
    std::vector<number> numbers{
        {{"info", "digits", "--rows"}, "--rows", "1 to 65536", with(whole, {"0", "65537"})},
        {{"verify", "d", "--threads"}, "--threads", "1 to 1024", with(whole, {"0", "1025"})},
        {{"encode", "--model", "m", "--threads"}, "--threads", "1 to 1024", with(whole, {"0", "1025"})},
        {{"interpolate", "--model", "m", "--text", "a"}, "--text", "a finite number", {"1e39", "-1e39"}},
        {{"interpolate", "--model", "m", "--image", "a"}, "--image", "a finite number", {"1e39", "-1e39"}},
        {{"interpolate", "--model", "m", "--frames"}, "--frames", "1 to 65536", with(whole, {"0", "65537"})},
        {{"emb2emb", "--model", "m", "--strength"}, "--strength", "1e-06 to 1", {"0", "-0.5", "1.0001", "1e-7"}},
        {{"bench", "--preset", "digits", "--tokens"}, "--tokens", "1 to 65536", with(whole, {"0", "65537"})},
        {{"bench", "--preset", "digits", "--samples"}, "--samples", "1 to 65536", with(whole, {"0", "65537"})},
        {{"bench", "--preset", "digits", "--steps"}, "--steps", "1 to 100000", with(whole, {"0", "100001"})},
        {{"bench", "--preset", "digits", "--rows-forward"}, "--rows-forward", "1 to 65536", with(whole, {"0"})},
        {{"bench", "--preset", "digits", "--repeats"}, "--repeats", "1 to 1000", with(whole, {"0", "1001"})},
        {{"bench", "--preset", "digits", "--threads"}, "--threads", "1 to 1024", with(whole, {"0", "1025"})}};
    for (const char* command : {"sample", "interpolate", "emb2emb"})
        for (const auto& [option, range, more] : {shared{"--samples", "1 to 65536", with(whole, {"0", "65537"})},
                                                  shared{"--steps", "1 to 100000", with(whole, {"0", "100001"})},
                                                  shared{"--guidance", "a finite number", {"1e39", "-1e39"}},
                                                  shared{"--seed", "0 to 18446744073709551615", whole},
                                                  shared{"--threads", "1 to 1024", with(whole, {"0", "1025"})}})
            numbers.push_back({{command, "--model", "m", option}, option, range, more});
    for (const number& n : numbers)
        for (const std::string& text : with(bad, n.more_bad)) {
            const outcome o = run(with(n.before, {text}));
            expect_refused(o, std::string(n.option) + ": '");
            EXPECT_NE(o.err.find(std::string("' is not allowed; allowed: ") + n.allowed), std::string::npos)
                << n.option << " '" << text << "'\n"
                << o.err;
        }
}

TEST(bad_input, a_number_is_the_one_that_it_says) {
    const temporary_folder folder;
    const auto drawn = [&](const std::string& seed) {
        const path file = folder.path / "e.npy";
        const outcome o = run(sample({"--steps", "2", "--seed", seed, "--out", file.string(), "seven"}));
        EXPECT_EQ(o.code, 0) << o.err;
        return read_all(file);
    };
    EXPECT_EQ(drawn("010"), drawn("10")); // not 8
    EXPECT_NE(drawn("010"), drawn("8"));
    EXPECT_NE(drawn("18446744073709551615"), drawn("18446744073709551614"));
}

TEST(bad_input, names) {
    refuse(with_outputs({"a handwriten zero"}), "near it: 'a handwritten zero'");
    refuse(with_outputs({"seven", "e\x1b[31m"}), "holds no condition 'e\\x1b[31m'");
}

TEST(bad_input, outputs) {
    refuse(sample({"--out", "same", "--png", "same"}), "--out and --png are the same file");
    refuse(sample({"--out", "same", "--png", "./same"}), "--out and --png are the same file");
    refuse(sample({"--out", "none/e.safetensors", "seven"}), "--out none/e.safetensors: cannot write: No such file");
    refuse(sample({"--png", "none/e.png", "seven"}), "--png none/e.png: cannot write: No such file");
    refuse(sample({"--out", ".", "seven"}), "is not a regular file");
    refuse({"interpolate", "--model", digits.string(), "--frames", "45000", "--samples", "16", "--png", "e.png",
            "--text", "one", "1", "--text", "two", "1"},
           "--png: 45000 rows of 16 pictures are too many for one PNG; allowed: up to 20955 rows");
    refuse(sample({"--out", ""}), "--out: '' is not allowed; allowed: a path");
    refuse(sample({"--out", "--png", "e.png"}), "--out: '--png' is not allowed");

    const temporary_folder folder;
    const path conditions = folder.path / "c.safetensors";
    std::filesystem::copy_file(digits / "conditions.safetensors", conditions);
    const std::string before = read_all(conditions);
    refuse({"sample", "--model", digits.string(), "--conditions", conditions.string(), "--out", conditions.string()},
           "an output must not replace an input");
    EXPECT_EQ(read_all(conditions), before);
}

/// A copy of the digits with an error in it.
struct broken_digits {
    temporary_folder folder;
    path model = folder.path / "m";

    broken_digits() { std::filesystem::copy(digits, model, std::filesystem::copy_options::recursive); }
    void expect(const std::string& part) const {
        refuse({"sample", "--model", model.string(), "--conditions", (model / "conditions.safetensors").string(),
                "--out", "e.safetensors", "--png", "e.png", "--steps", "2", "seven"},
               part);
    }
    void change(const path& file, const std::function<void(std::string&)>& edit) const {
        std::string content = read_all(model / file);
        edit(content);
        std::ofstream(model / file, std::ios::binary) << content;
    }
};

void replace(std::string& text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
}

TEST(bad_input, outputs_that_are_files_of_the_model) {
    const broken_digits b;
    const path packed = b.folder.path / "packed";
    ASSERT_EQ(run({"pack", "--model", b.model.string(), "--out", packed.string()}).code, 0);
    for (const char* name :
         {"text_encoder/model.safetensors", "tokenizer/vocab.json", "decoder/model.safetensors", "prior/config.json",
          "prior/diffusion_pytorch_model.safetensors", "model_index.json", "scheduler/scheduler_config.json"}) {
        const path file = b.model / name;
        const std::string before = read_all(file);
        const std::vector<std::string> commands[] = {{"encode", "seven"},
                                                     {"sample", "--packed", packed.string(), "--steps", "1", "seven"},
                                                     {"interpolate", "--steps", "1", "--text", "seven", "1"},
                                                     {"pack"}};
        for (std::vector<std::string> arguments : commands) {
            arguments.insert(arguments.end(), {"--model", b.model.string(), "--out", file.string()});
            refuse(arguments, "an output must not replace an input");
        }
        EXPECT_EQ(read_all(file), before) << name;
    }
}

TEST(bad_input, missing_files) {
    refuse({"sample", "--model", "none", "--conditions", "c"}, "none: no such folder");
    refuse({"sample", "--model", (digits / "prior").string(), "--conditions", "c"}, "holds no folder prior");
    refuse({"sample", "--model", digits.string(), "--conditions", "none"}, "none: cannot open: No such file");
    refuse({"sample", "--model", digits.string(), "--conditions", (digits / "decoder/model.safetensors").string()},
           "holds no conditions");
    refuse({"verify", "none"}, "none: no such folder");
    refuse({"verify", digits.string()}, "holds no cases.safetensors");
    refuse({"info", "none"}, "none: no such file or folder; the presets are karlo_v1_alpha");
    {
        const broken_digits b;
        std::filesystem::remove(b.model / "prior/diffusion_pytorch_model.safetensors");
        b.expect("holds no weights");
    }
    {
        const broken_digits b;
        std::filesystem::remove(b.model / "scheduler/scheduler_config.json");
        b.expect("scheduler_config.json: cannot open");
    }
    {
        const broken_digits b;
        std::filesystem::remove_all(b.model / "decoder");
        b.expect("--png needs a decoder/");
    }
}

TEST(bad_input, damaged_weights) {
    const path weights = "prior/diffusion_pytorch_model.safetensors";
    {
        const broken_digits b;
        b.change(weights, [](std::string& s) { s.resize(s.size() / 2); });
        b.expect(weights.filename().string());
    }
    {
        const broken_digits b;
        b.change(weights, [](std::string& s) { s.resize(4); });
        b.expect(weights.filename().string());
    }
    {
        const broken_digits b;
        b.change(weights, [](std::string& s) { s[7] = '\x7f'; }); // a header of at least 2^62 bytes
        b.expect("header length");
    }
    {
        const broken_digits b; // clip_std has another number of values than its shape
        b.change(weights, [](std::string& s) {
            replace(s, "\"clip_std\":{\"dtype\":\"F32\",\"shape\":[1,64]",
                    "\"clip_std\":{\"dtype\":\"F32\",\"shape\":[1,65]");
        });
        b.expect("clip_std");
    }
    {
        const broken_digits b;
        b.change(weights, [](std::string& s) { replace(s, "clip_mean", "clip_meen"); });
        b.expect("1 missing tensor: clip_mean; 1 unexpected tensor: clip_meen");
    }
    {
        const broken_digits b;
        b.change(weights, [](std::string& s) { std::fill(s.end() - 4096, s.end(), '\xff'); }); // NaN
        b.expect(".weight: [0] is NaN; a model's weights must be finite numbers");
    }
}

TEST(bad_input, damaged_conditions) {
    const path conditions = "conditions.safetensors";
    {
        const broken_digits b;
        b.change(conditions, [](std::string& s) { s.resize(s.size() - 1); });
        b.expect(conditions.string());
    }
    {
        const broken_digits b;
        b.change(conditions, [](std::string& s) { replace(s, "seven.last_hidden_state", "seven.last_hidden_stete"); });
        refuse({"sample", "--model", b.model.string(), "--conditions", (b.model / conditions).string(),
                "a bold handwritten seven"},
               "holds no tensor 'a bold handwritten seven.last_hidden_state'");
    }
    {
        const broken_digits b;
        b.change(conditions,
                 [](std::string& s) { replace(s, "unconditional.text_embeds", "unconditionel.text_embeds"); });
        b.expect("--guidance above 1 needs it");
    }
}

TEST(bad_input, configurations) {
    {
        const broken_digits b;
        b.change("prior/config.json", [](std::string& s) { replace(s, "\"num_layers\": 4", "\"num_layers\": 5"); });
        b.expect("config.json: this configuration is not compiled into this program; add it: cmake -S ");
        b.expect((b.model / "prior/config.json").string() + " && cmake --build ");
    }
    {
        const broken_digits b;
        b.change("prior/config.json", [](std::string& s) { replace(s, "\"silu\"", "\"sine\""); });
        b.expect("field 'time_embed_act_fn' is \"sine\"; allowed: \"silu\"");
    }
    {
        const broken_digits b;
        b.change("scheduler/scheduler_config.json", [](std::string& s) { replace(s, "UnCLIP", "Unclip"); });
        b.expect("_class_name");
    }
    {
        const broken_digits b;
        b.change("decoder/config.json", [](std::string& s) { replace(s, "8,", "16,"); });
        b.expect("field 'picture' is [16,8]; allowed: [8,8]");
    }
}

TEST(help, names_every_command_and_option) {
    const outcome top = run({"--help"});
    EXPECT_EQ(top.code, 0);
    for (const char* word : {"sample", "verify", "info", "pack", "bench", "--version", "Exit code"})
        EXPECT_NE(top.out.find(word), std::string::npos) << top.out << "lacks " << word;
    const outcome options = run({"sample", "--help"});
    EXPECT_EQ(options.code, 0);
    for (const char* word : {"--model DIR", "--conditions FILE", "--samples N=1", "--steps N=25", "--guidance G=4",
                             "--seed S=0", "--device NAME", "--arch NAME", "--weights FORMAT", "--packed FILE",
                             "--threads N", "--out FILE", "--png FILE", "NAME"})
        EXPECT_NE(options.out.find(word), std::string::npos) << options.out << "lacks " << word;
    const outcome version = run({"--version"});
    EXPECT_EQ(version.code, 0);
    EXPECT_TRUE(version.out.starts_with("apriori ")) << version.out;
}

} // namespace
