// SPDX-License-Identifier: Apache-2.0
// The program's commands and their options.
#pragma once

#include "apriori/core/result.hpp"
#include "exit_code.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace apriori::program {

struct device_options {
    std::string device;
    std::string arch;    ///< the instruction set of cpu; empty: the newest that the machine runs
    std::string weights; ///< their format; empty: f32, or that of a packed image
    int threads = 1;

    std::string weights_or_default() const { return weights.empty() ? "f32" : weights; }
};

struct sample_options {
    device_options on;
    std::filesystem::path model, conditions;
    std::filesystem::path packed; ///< empty: the model's own weights
    int samples = 1, steps = 25;
    float guidance = 4;
    std::uint64_t seed = 0;
    std::filesystem::path out, png; ///< empty: not wanted
    std::vector<std::string> names; ///< empty: all
};
/// Draws image embeddings for prompts.
result<exit_code> run_sample(const sample_options& options);

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
/// Says what a model costs and how it is fused.
result<exit_code> run_info(const info_options& options);

struct pack_options {
    device_options on;
    std::filesystem::path model; ///< a folder; empty: the preset
    std::string preset;          ///< with synthetic weights; empty: the folder
    std::filesystem::path out;
    std::filesystem::path verify; ///< an image to read instead
};
/// Writes a packed image, or verifies one.
result<exit_code> run_pack(const pack_options& options);

struct bench_options {
    device_options on;
    std::filesystem::path model;  ///< a folder; empty: the preset
    std::string preset;           ///< empty: the folder
    std::filesystem::path packed; ///< weights; empty: the folder's, or synthetic ones
    int tokens = 12, samples = 1, steps = 25, repeats = 5;
    int rows_forward = 2; ///< of the largest forward; 1 and 2 are always timed
    bool json = false;
};
/// Times the parts of sampling.
result<exit_code> run_bench(const bench_options& options);

} // namespace apriori::program
