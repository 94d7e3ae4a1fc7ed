// SPDX-License-Identifier: Apache-2.0
// The interface between the program and its models: a PriorTransformer of any configuration on any device, and
// the entry for each compiled one.
#pragma once

#include "any_encoder.hpp"
#include "any_source.hpp"
#include "apriori/core/result.hpp"
#include "apriori/expr/launch.hpp"
#include "apriori/models/calibration_inputs.hpp"
#include "apriori/models/nibble_source.hpp"
#include "apriori/models/prior_config.hpp"
#include "apriori/models/prior_prompt.hpp"
#include "apriori/pipelines/sampler.hpp"
#include "apriori/schedulers/scheduler.hpp"
#include "condition.hpp"
#include "host_tensor.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace apriori::program {

/// The arguments of forward on the host, under diffusers' names; absent ones are empty.
struct forward_arguments {
    host_tensor hidden_states, timestep, proj_embedding, encoder_hidden_states, attention_mask;
};

/// One run of the sampler for one batch of prompts; see sample_prompts (pipelines/sample_prompts.hpp).
struct sampling_task {
    const schedule* steps = nullptr;
    std::span<const prior_prompt> prompts{};       ///< [unconditional, conditional] with guidance, as many of each
    index_t samples = 1;                           ///< of each prompt
    std::span<const float> latents{};              ///< [prompts, samples, embedding_dim] standard normal
    std::function<void(std::span<float>)> noise{}; ///< fills as many numbers, once for each step that draws
    sampling_options options{};
};

/// The arguments of calibrate() (models/calibration.hpp): the weights from which the model was loaded, and inputs.
struct calibration_task {
    const any_source* weights = nullptr;
    const calibration_inputs* inputs = nullptr;
    std::function<bool(index_t done, index_t count, std::string_view slot)> on_matrix{}; ///< returning false stops
};

/// What apriori bench times: a guided sampling of one prompt, and forwards of some numbers of rows.
struct bench_task {
    const schedule* steps = nullptr;
    float guidance = 4;
    index_t samples = 1;
    const condition* unconditional = nullptr;
    const condition* conditional = nullptr;
    index_t hidden_tokens = 1; ///< of the latents of a sample
    std::vector<index_t> forward_rows;
};

/// A lower bound of a part's time on any machine: `times` times the longer of its arithmetic and its reading.
struct work_part {
    double times = 1, flops = 0, bytes = 0;
};

/// Work that can be run and timed repeatedly.
struct timed_work {
    std::string name;                        ///< prefix, kv_cache, step, sample, sample_kept, forward_1 ...
    double flops = 0, bytes = 0;             ///< of one run; bytes: of weights, counted once for each pass over them
    std::vector<work_part> parts{};          ///< one after the other
    std::function<result<void>()> prepare{}; ///< called once, before the first run
    std::function<result<void>()> run{};
};

/// One measurement each of the machine's peak rates with the model's threads, for the model's step: 1e9 operations per
/// second, a multiply-add counting as two, and 1e9 bytes read per second. Empty if the device has none.
struct ceiling_probes {
    std::function<double()> gflops, gbytes;
};

class any_prior {
public:
    virtual ~any_prior() = default;

    /// predicted_image_embedding [rows, clip_embed_dim], or with a token axis if the configuration has no prd.
    virtual result<host_tensor> forward(const forward_arguments& arguments) = 0;

    /// Image embeddings, post-processed: [prompts, samples, embedding_dim].
    virtual result<std::vector<float>> sample(const sampling_task& task) = 0;

    /// The weights rounded to four bits for those inputs. The source refers to the task's weights.
    /// unsupported except for f32 on cpu.
    virtual result<nibble_source> calibrate(const calibration_task& task) = 0;

    /// The work that apriori bench times, in this order; the task's conditions and schedule must outlive it.
    virtual result<std::vector<timed_work>> works(const bench_task& task) = 0;
    virtual ceiling_probes ceilings() = 0;

    /// The weights as the device holds them, and their hash; empty if the host cannot read the device's memory.
    virtual std::span<const std::byte> packed_bytes() const = 0;
    virtual std::uint64_t weights_hash() const = 0;
};

/// The launches of one forward, and the memory that they need.
struct forward_plan {
    std::vector<launch> launches;
    std::size_t workspace_bytes = 0;
    index_t tokens = 0; ///< of the sequence
};

/// A compiled configuration on a device with weights of a format.
struct prior_entry {
    std::string_view name; ///< name of the configuration: that of a preset, or from a file
    std::string_view device, weights;
    PriorConfig config; ///< canonical
    std::size_t weight_bytes;
    std::size_t step_weight_bytes; ///< of the weights that an incremental step reads
    forward_plan (*plan)(index_t rows);
    result<std::unique_ptr<any_prior>> (*load)(const any_source& weights, int threads);

    /// For packed files: the name of the device's layout, and a model on packed weights that `owner` keeps in
    /// memory. Null if the device has none.
    std::string_view (*layout)();
    result<std::unique_ptr<any_prior>> (*attach)(const std::byte* packed, std::shared_ptr<const void> owner,
                                                 std::uint64_t hash, int threads);
};

/// The entries of a unit of instances. Only the types of this header cross from units that are compiled for newer
/// instruction sets to the rest of the program: none of them depends on the instruction set, and functions that the
/// other side defines are only called through pointers.
struct entry_list {
    std::span<const prior_entry> priors;
    std::span<const text_encoder_entry> text_encoders;
    std::span<const image_encoder_entry> image_encoders;
};

} // namespace apriori::program
