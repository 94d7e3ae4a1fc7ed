// SPDX-License-Identifier: Apache-2.0
// The program's commands and their options.
#pragma once

#include "apriori/core/result.hpp"
#include "exit_code.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace apriori::program {

struct device_options {
    std::string device;
    std::string arch;    ///< the instruction set of cpu; empty: the newest that the machine runs
    std::string weights; ///< their format; empty: f32, or that of a packed file
    int threads = 1;

    std::string weights_or_default() const { return weights.empty() ? "f32" : weights; }
};

/// Options of all commands that sample.
struct pipeline_options {
    device_options on;
    std::filesystem::path model;
    std::filesystem::path packed;   ///< empty: the model's own weights
    std::vector<std::string> loras; ///< FILE or FILE:WEIGHT
    std::string scheduler;          ///< its class; empty: the folder's own
    int samples = 1, steps = 25;
    float guidance = 4;
    std::uint64_t seed = 0;
    bool seed_drawn = false;             ///< not chosen by the user
    std::optional<std::string> negative; ///< text to guide away from, instead of the empty text
    bool mask_text_encoder = false;
    std::filesystem::path out, png; ///< empty: not written
    std::filesystem::path batch; ///< work as lines of JSON, "-" for standard input; `out` is then a folder; empty: none
};

struct sample_options : pipeline_options {
    std::filesystem::path conditions; ///< empty: the names are words
    std::vector<std::string> names;   ///< words, or names in the file of conditions; empty: all of them
    bool resume = false;              ///< continue a stopped batch into one .npy

    /// Whether a batch is written to one file.
    bool into_one_file() const { return !batch.empty() && out.extension() == ".npy"; }
};
/// Samples image embeddings for prompts of the command line or of a file of conditions.
result<exit_code> run_sample(const sample_options& options);
class ranks;
/// Samples those of options.batch, each process its lines: into a folder, or all of them into one .npy.
result<exit_code> run_sample_batch(const sample_options& options, const ranks& all);

/// A text or a file with an image embedding, and its weight.
using weighted_name = std::pair<std::string, float>;

struct interpolate_options : pipeline_options {
    std::vector<weighted_name> texts, images;
    std::optional<std::string> negative_embedding; ///< Kandinsky's negative embedding is sampled from it
    int frames = 0; ///< number of mixes from the first condition to the second; 0: one, by the weights
};
/// Mixes image embeddings of texts and images.
result<exit_code> run_interpolate(const interpolate_options& options);

struct emb2emb_options : pipeline_options {
    std::filesystem::path image;
    double strength = 0.3;
    std::vector<std::string> texts;
};
/// Changes image embeddings towards texts.
result<exit_code> run_emb2emb(const emb2emb_options& options);

struct encode_options {
    device_options on;
    std::filesystem::path model, out;
    std::filesystem::path batch; ///< as in pipeline_options
    bool mask_text_encoder = false;
    std::vector<std::string> texts;
};
/// Writes the text encoder's outputs for texts.
result<exit_code> run_encode(const encode_options& options);

struct verify_options {
    device_options on;
    std::vector<std::filesystem::path> folders;
};
/// Compares models with recorded numbers.
result<exit_code> run_verify(const verify_options& options);

struct info_options {
    device_options on;
    std::string model; ///< a folder, a config.json or a preset; empty: what is compiled in
    int rows = 1;
};
/// Prints what a model costs and how it is fused.
result<exit_code> run_info(const info_options& options);

struct pack_options {
    device_options on;
    std::filesystem::path model;    ///< a folder; empty: the preset
    std::string preset;             ///< with synthetic weights; empty: the folder
    std::vector<std::string> loras; ///< FILE or FILE:WEIGHT
    std::string target;             ///< the instruction set to pack for; empty: that of this machine
    std::filesystem::path
        calibrate; ///< prompts as in a batch, for which the weights of four bits are rounded; empty: none
    std::filesystem::path conditions; ///< the same, as text-encoder outputs
    bool mask_text_encoder = false;

    bool calibrates() const { return !calibrate.empty() || !conditions.empty(); }
    std::filesystem::path out;
    std::filesystem::path verify; ///< a packed file to read instead
};
/// Writes a packed file, or verifies one.
result<exit_code> run_pack(const pack_options& options);

struct bench_options {
    device_options on;
    std::filesystem::path model;    ///< a folder; empty: the preset
    std::string preset;             ///< empty: the folder
    std::filesystem::path packed;   ///< weights; empty: the folder's, or synthetic ones
    std::vector<std::string> loras; ///< FILE or FILE:WEIGHT
    int tokens = 12, samples = 1, steps = 25, repeats = 5;
    int rows_forward = 2; ///< rows of the largest forward; 1 and 2 are always timed
    bool json = false;
};
/// Times the parts of sampling.
result<exit_code> run_bench(const bench_options& options);

} // namespace apriori::program
