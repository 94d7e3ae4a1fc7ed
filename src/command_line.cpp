// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include "apriori/core/version.hpp"
#include "apriori/io/text.hpp"
#include "instances.hpp"
#include "pack_target.hpp"
#include "presets.hpp"
#include "usage.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string_view>
#include <thread>

namespace apriori::program {

namespace {

/// A check by a function that returns whether the text is allowed; the message shows the text and what is allowed.
template <class F>
CLI::Validator allowed(std::string what, F&& is_allowed) {
    return CLI::Validator(
        [=](const std::string& text) {
            return is_allowed(text) ? std::string()
                                    : fmt::format("{} is not allowed; allowed: {}", io::quote(text), what);
        },
        "");
}

/// The number that the whole text is, written in decimal digits as in JSON and Python; nullopt if it is not one.
template <class T>
std::optional<T> parse_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// A number for which `is_allowed` returns true. The text is replaced by this number, which CLI11 then reads: CLI11
/// alone reads 010 as 8, wraps negative numbers around to unsigned ones, and saturates numbers that are too large.
template <class T, class F>
CLI::Validator number(std::string what, F&& is_allowed) {
    return CLI::Validator(
        [=](std::string& text) {
            const auto value = parse_number<T>(text);
            if (!value || !is_allowed(*value))
                return fmt::format("{} is not allowed; allowed: {}", io::quote(text), what);
            text = fmt::format("{}", *value);
            return std::string();
        },
        "");
}
/// Numbers from `least` to `most`; NaN is not one.
template <class T>
CLI::Validator between(T least, T most) {
    return number<T>(fmt::format("{} to {}", least, most), [=](T x) { return x >= least && x <= most; });
}
/// Finite numbers that fit into a float.
CLI::Validator finite() {
    return number<double>("a finite number",
                          [](double x) { return std::abs(x) <= double{std::numeric_limits<float>::max()}; });
}
/// The weight after a text or a file.
CLI::Validator finite_weight() { return finite().application_index(1); }

/// A path. An option in its place means that the value was forgotten.
CLI::Validator path() {
    return allowed("a path", [](const std::string& text) { return !text.empty() && !text.starts_with("--"); });
}

CLI::Option* add_file(CLI::App& command, const char* name, std::filesystem::path& file, const std::string& what) {
    return command.add_option(name, file, what)->type_name("FILE")->check(path());
}

CLI::Validator device() {
    return allowed("cpu, eigen, cuda",
                   [](const std::string& text) { return text == "cpu" || text == "eigen" || text == "cuda"; });
}

CLI::Validator weight_format() {
    return allowed(known_weights(), [](const std::string& text) {
        return (", " + known_weights() + ",").find(", " + text + ",") < 1000;
    });
}

/// Where to compute and with which weights; `threads` for commands that take them.
void add_device(CLI::App& command, device_options& on, bool threads = true) {
    command.add_option("--device", on.device, "Where to compute: cpu, eigen or cuda, as far as compiled in")
        ->type_name("NAME")
        ->check(device())
        ->capture_default_str();
    command
        .add_option("--arch", on.arch,
                    "Instruction set of cpu, of " + compiled_archs() + "; the newest that this machine runs")
        ->type_name("NAME");
    command.add_option("--weights", on.weights, "Weight format of cpu and cuda, of " + compiled_weights() + "; f32")
        ->type_name("FORMAT")
        ->check(weight_format());
    if (!threads) return;
    command.add_option("--threads", on.threads, "Threads of cpu and eigen")
        ->type_name("N")
        ->transform(between(1, 1024))
        ->capture_default_str();
}

CLI::Option* add_model(CLI::App& command, std::filesystem::path& model) {
    return command
        .add_option(
            "--model", model,
            "Pipeline folder as diffusers saves it: prior/, scheduler/, and for words tokenizer/ and text_encoder/")
        ->type_name("DIR")
        ->check(path())
        ->required();
}

void add_mask(CLI::App& command, bool& mask_text_encoder) {
    command.add_flag(
        "--mask-text-encoder", mask_text_encoder,
        "Hand the text encoder the mask of the padding, as examples/digits was trained; diffusers does not");
}

void add_loras(CLI::App& command, std::vector<std::string>& loras) {
    command.add_option("--lora", loras, "A LoRA to merge into the weights, and how much of it: 1; may be given again")
        ->type_name("FILE[:WEIGHT]")
        ->allow_extra_args(false)
        ->check(path());
}

void add_batch(CLI::App& command, std::filesystem::path& batch) {
    add_file(command, "--batch", batch,
             "Work as lines of JSON, each written to a file in --out DIR as it is done (of sample, too: all to "
             "one --out "
             "FILE.npy); - reads the standard input");
}

/// The options of all commands that sample.
void add_pipeline(CLI::App& command, pipeline_options& o) {
    add_model(command, o.model);
    add_file(command, "--packed", o.packed,
             "A packed file of the model, as pack writes it: mapped instead of its weights");
    add_loras(command, o.loras);
    command.add_option("--samples", o.samples, "Samples of each prompt")
        ->type_name("N")
        ->transform(between(1, 65536))
        ->capture_default_str();
    command.add_option("--steps", o.steps, "Steps of the scheduler; 1 is the single step at its last timestep")
        ->type_name("N")
        ->transform(between(1, 100000)) // the scheduler checks how many are possible
        ->capture_default_str();
    command.add_option("--guidance", o.guidance, "Classifier-free guidance; 1 and less: none")
        ->type_name("G")
        ->transform(finite())
        ->capture_default_str();
    command
        .add_option("--scheduler", o.scheduler, "The folder's scheduler as one of another class: DDIMScheduler, ...")
        ->type_name("CLASS")
        ->check(path());
    command.add_option("--seed", o.seed, "Of torch's generator: the same numbers as in diffusers on the CPU")
        ->type_name("S")
        ->transform(between<std::uint64_t>(0, ~std::uint64_t{0}))
        ->capture_default_str();
    add_device(command, o.on);
    add_file(command, "--out", o.out, "Writes the embeddings: image_embeds [rows, dim], safetensors; or a .npy");
    add_file(command, "--png", o.png, "Draws the pictures, up to 16 of a prompt, if the model has a decoder for them");
    add_mask(command, o.mask_text_encoder);
    add_batch(command, o.batch);
}

void add_negative(CLI::App& command, pipeline_options& o) {
    command.add_option("--negative", o.negative, "What to guide away from, in place of the empty text")
        ->type_name("TEXT");
}

void add_sample(CLI::App& command, sample_options& o) {
    add_pipeline(command, o);
    add_negative(command, o);
    add_file(command, "--conditions", o.conditions,
             "Text-encoder outputs by name instead of words: <NAME>.text_embeds, .last_hidden_state, "
             ".attention_mask");
    command.add_flag(
        "--resume", o.resume,
        "Go on with a --batch into one .npy that was stopped, if there is one; a folder goes on by itself");
    command.add_option("PROMPT", o.names, "Words; with --conditions names in that file, none: all but unconditional");
}

void add_interpolate(CLI::App& command, interpolate_options& o) {
    add_pipeline(command, o);
    add_negative(command, o);
    command.add_option("--text", o.texts, "A text and its weight; as often as there are texts")
        ->type_name("TEXT WEIGHT")
        ->allow_extra_args(false)
        ->transform(finite_weight());
    command.add_option("--image", o.images, "A file with an image embedding, and its weight")
        ->type_name("FILE WEIGHT")
        ->allow_extra_args(false)
        ->transform(finite_weight());
    command
        .add_option("--negative-embedding", o.negative_embedding,
                    "Kandinsky: of which negative_image_embeds is sampled, in place of the zero image's embedding")
        ->type_name("TEXT");
    command.add_option("--frames", o.frames, "So many mixes, from the first of two conditions to the second")
        ->type_name("N")
        ->transform(between(1, 65536));
}

void add_emb2emb(CLI::App& command, emb2emb_options& o) {
    add_pipeline(command, o);
    add_negative(command, o);
    add_file(command, "--image", o.image, "Image embeddings to start from: one, or one for each text");
    command.add_option("--strength", o.strength, "The share of the steps that is taken: above 0, to 1")
        ->type_name("S")
        ->transform(between(1e-6, 1.0))
        ->capture_default_str();
    command.add_option("TEXT", o.texts, "Words");
}

void add_encode(CLI::App& command, encode_options& o) {
    add_model(command, o.model);
    add_mask(command, o.mask_text_encoder);
    add_device(command, o.on);
    add_file(command, "--out", o.out, "The file of conditions to write, safetensors")->required();
    add_batch(command, o.batch);
    command.add_option("TEXT", o.texts, "Words");
}

CLI::Validator preset_name() {
    std::string names;
    for (const preset& p : all_presets) names += (names.empty() ? "" : ", ") + std::string(p.name);
    return allowed(names, [](const std::string& text) { return find_preset(text) != nullptr; });
}

void add_pack(CLI::App& command, pack_options& o) {
    command.add_option("--model", o.model, "Folder with config.json and weights, or with such a prior/")
        ->type_name("DIR")
        ->check(path());
    command.add_option("--preset", o.preset, "A preset, with synthetic weights")
        ->type_name("NAME")
        ->check(preset_name());
    add_device(command, o.on);
    add_loras(command, o.loras);
    command.add_option("--target", o.target, "Pack for another machine: " + known_targets())
        ->type_name("NAME")
        ->check(allowed(known_targets(), [](const std::string& text) { return is_target(text); }));
    add_file(command, "--calibrate", o.calibrate,
             "Prompts as lines of JSON, as sample --batch reads them: they are sampled, and weights of w4 and w4a8 "
             "rounded for what the model's layers are given then");
    add_file(command, "--conditions", o.conditions,
             "The same with text-encoder outputs by name, as sample --conditions reads them, instead of prompts");
    add_mask(command, o.mask_text_encoder);
    add_file(command, "--out", o.out, "The packed file to write");
    add_file(command, "--verify", o.verify, "A packed file to read whole, and compare with its checksums, instead");
}

void add_bench(CLI::App& command, bench_options& o) {
    command.add_option("--model", o.model, "Folder or config.json; without weights in it: synthetic ones")
        ->type_name("DIR")
        ->check(path());
    command.add_option("--preset", o.preset, "A preset, with synthetic weights")
        ->type_name("NAME")
        ->check(preset_name());
    add_file(command, "--packed", o.packed, "A packed file of the model: its weights");
    add_loras(command, o.loras);
    command.add_option("--tokens", o.tokens, "Live tokens of the prompt; the unconditional one has 2")
        ->type_name("N")
        ->transform(between(1, 65536))
        ->capture_default_str();
    command.add_option("--samples", o.samples, "Samples of the prompt")
        ->type_name("N")
        ->transform(between(1, 65536))
        ->capture_default_str();
    command.add_option("--steps", o.steps, "Steps of a sampling")
        ->type_name("N")
        ->transform(between(1, 100000))
        ->capture_default_str();
    command.add_option("--rows-forward", o.rows_forward, "Rows of one more forward, besides 1 and 2")
        ->type_name("N")
        ->transform(between(1, 65536))
        ->capture_default_str();
    command.add_option("--repeats", o.repeats, "Rounds of measurements; the medians are printed")
        ->type_name("N")
        ->transform(between(1, 1000))
        ->capture_default_str();
    add_device(command, o.on);
    command.add_flag("--json", o.json, "Print one JSON object instead of a table");
}

/// Before an argument in brackets, which CLI11 takes for a list: "[a, b]" would be two prompts.
constexpr char no_list = '\x01';

/// The arguments as CLI11 parses them, from the last to the first. It takes `--name=` for `--name`, and the next
/// argument for its value, so that is invalid_argument.
result<std::vector<std::string>> parsed_from(int argc, const char* const* argv) {
    std::vector<std::string> arguments;
    bool options = true;
    for (int i = 1; i < argc; ++i) {
        std::string a = argv[i];
        options = options && a != "--";
        if (options && a.starts_with("--") && a.find('=') == a.size() - 1)
            return failure{errc::invalid_argument,
                           fmt::format("{} has no value; an empty one is an argument of its own: {} ''", io::quote(a),
                                       a.substr(0, a.size() - 1))};
        if (a.starts_with('[') && a.ends_with(']')) a.insert(a.begin(), no_list);
        arguments.push_back(std::move(a));
    }
    std::reverse(arguments.begin(), arguments.end());
    return arguments;
}
/// To be called when all options are there.
void take_bracketed(CLI::App& app) {
    const CLI::Validator as_given(
        [](std::string& text) {
            if (text.starts_with(no_list)) text.erase(0, 1);
            return std::string();
        },
        "");
    for (CLI::App* command : app.get_subcommands({}))
        for (CLI::Option* option : command->get_options()) option->transform(as_given);
}

std::string one_line(std::string text) {
    std::erase(text, no_list);
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

} // namespace

result<any_command> parse_command_line(int argc, const char* const* argv) {
    device_options on;
    const std::string devices = compiled_devices();
    on.device = devices.substr(0, devices.find(','));
    on.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    sample_options sample;
    interpolate_options interpolate;
    emb2emb_options emb2emb;
    encode_options encode;
    verify_options verify;
    info_options info;
    bench_options bench;
    pack_options pack;
    sample.on = interpolate.on = emb2emb.on = encode.on = verify.on = info.on = pack.on = bench.on = on;

    CLI::App app("Samples image embeddings with unCLIP priors that are compiled in.", "apriori");
    app.set_version_flag("--version", std::string("apriori ") + version::string);
    app.footer(exit_code_help);
    app.require_subcommand(0, 1); // none: reported below, after arguments that are not options

    CLI::App* sample_command = app.add_subcommand("sample", "Sample image embeddings for prompts");
    add_sample(*sample_command, sample);
    CLI::App* interpolate_command =
        app.add_subcommand("interpolate", "Mix image embeddings of texts and images by weight");
    add_interpolate(*interpolate_command, interpolate);
    CLI::App* emb2emb_command = app.add_subcommand("emb2emb", "Change image embeddings towards texts");
    add_emb2emb(*emb2emb_command, emb2emb);
    CLI::App* encode_command = app.add_subcommand("encode", "Write what the text encoder gives for texts");
    add_encode(*encode_command, encode);
    CLI::App* verify_command = app.add_subcommand("verify", "Compare models with recorded numbers");
    verify_command
        ->add_option("DIR", verify.folders,
                     "Holds config.json, cases.safetensors and weights (without: synthetic "
                     "ones); or holds such folders")
        ->check(path())
        ->required();
    add_device(*verify_command, verify.on);
    CLI::App* info_command = app.add_subcommand("info", "Say what a model costs and how it is fused");
    info_command->add_option("DIR|PRESET", info.model, "Folder, config.json or preset; none: what is compiled in")
        ->check(path());
    info_command->add_option("--rows", info.rows, "Rows of a forward")
        ->type_name("N")
        ->transform(between(1, 65536))
        ->capture_default_str();
    add_device(*info_command, info.on, false);
    CLI::App* pack_command =
        app.add_subcommand("pack", "Write packed weights that start in milliseconds, or verify them");
    add_pack(*pack_command, pack);
    CLI::App* bench_command = app.add_subcommand("bench", "Time the parts of sampling against the machine's ceilings");
    add_bench(*bench_command, bench);

    take_bracketed(app);
    auto arguments = parsed_from(argc, argv);
    if (!arguments) return arguments.error();
    try {
        app.parse(std::move(*arguments));
    } catch (const CLI::Success& e) { // --help, --version
        app.exit(e);
        return {nothing{}};
    } catch (const CLI::ParseError& e) {
        return failure{errc::invalid_argument, one_line(e.what()) + "; see apriori --help"};
    }
    const auto checked = [](const auto& options) -> result<any_command> {
        if (auto r = check_usage(options); !r) return r.error();
        return {options};
    };
    if (sample_command->parsed()) return checked(sample);
    if (interpolate_command->parsed()) return checked(interpolate);
    if (emb2emb_command->parsed()) return checked(emb2emb);
    if (encode_command->parsed()) return checked(encode);
    if (verify_command->parsed()) return {verify};
    if (info_command->parsed()) return {info};
    if (pack_command->parsed()) return checked(pack);
    if (bench_command->parsed()) return checked(bench);
    return failure{errc::invalid_argument,
                   "no command is given; allowed: sample, interpolate, emb2emb, encode, verify, info, pack, bench; "
                   "see apriori --help"};
}

} // namespace apriori::program
