// SPDX-License-Identifier: Apache-2.0
// The interface between the program and its models: a PriorTransformer of any configuration on any device, and the entry
// under which each one is compiled in.
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

/// The arguments of forward on the host, by diffusers' names; an absent one is left empty.
struct forward_arguments {
    host_tensor hidden_states, timestep, proj_embedding, encoder_hidden_states, attention_mask;
};

/// One run of the sampler for one batch of prompts; see sample_prompts (pipelines/sample_prompts.hpp).
struct sampling_task {
    const schedule* steps = nullptr;
    std::span<const prior_prompt> prompts{};       ///< with guidance [unconditional, conditional], each as many
    index_t samples = 1;                           ///< of each prompt
    std::span<const float> latents{};              ///< [prompts, samples, embedding_dim] standard normal
    std::function<void(std::span<float>)> noise{}; ///< fills as many, once for each step that draws
    sampling_options options{};
};

/// What calibrate() (models/calibration.hpp) is given: the weights that the model was loaded from, and inputs.
struct calibration_task {
    const any_source* weights = nullptr;
    const calibration_inputs* inputs = nullptr;
    std::function<bool(index_t done, index_t count, std::string_view slot)> on_matrix{}; ///< false stops
};

/// What apriori bench asks of a model: a guided sampling of one prompt, and forwards of so many rows.
struct bench_task {
    const schedule* steps = nullptr;
    float guidance = 4;
    index_t samples = 1;
    const condition* unconditional = nullptr;
    const condition* conditional = nullptr;
    index_t hidden_tokens = 1; ///< of the latents of a sample
    std::vector<index_t> forward_rows;
};

/// Work whose time no machine goes below: so many times the longer of its arithmetic and its reading.
struct work_part {
    double times = 1, flops = 0, bytes = 0;
};

/// A piece of work that can be run and timed again and again.
struct timed_work {
    std::string name;                        ///< prefix, kv_cache, step, sample, sample_kept, forward_1 ...
    double flops = 0, bytes = 0;             ///< of one run; bytes: of weights, once for each pass over them
    std::vector<work_part> parts{};          ///< one after the other
    std::function<result<void>()> prepare{}; ///< once, before the first run
    std::function<result<void>()> run{};
};

/// One measurement of what the machine can do with the model's threads: 1e9 multiply-adds times two, and bytes read, a
/// second, of the model's step. Empty where the device has none.
struct ceiling_probes {
    std::function<double()> gflops, gbytes;
};

class any_prior {
public:
    virtual ~any_prior() = default;

    /// predicted_image_embedding [rows, clip_embed_dim], or with a token axis where the configuration has no prd.
    virtual result<host_tensor> forward(const forward_arguments& arguments) = 0;

    /// Image embeddings, post-processed: [prompts, samples, clip_embed_dim].
    virtual result<std::vector<float>> sample(const sampling_task& task) = 0;

    /// The weights rounded to four bits for those inputs; the source refers to the task's weights. unsupported but for f32 on cpu.
    virtual result<nibble_source> calibrate(const calibration_task& task) = 0;

    /// The work that apriori bench times, in this order; the task's conditions and schedule must outlive it.
    virtual result<std::vector<timed_work>> works(const bench_task& task) = 0;
    virtual ceiling_probes ceilings() = 0;

    /// The weights as the device holds them, and their hash; no bytes where the host cannot read its memory.
    virtual std::span<const std::byte> packed_bytes() const = 0;
    virtual std::uint64_t weights_hash() const = 0;
};

/// The launches of one forward, and what memory they need.
struct forward_plan {
    std::vector<launch> launches;
    std::size_t workspace_bytes = 0;
    index_t tokens = 0; ///< of the sequence
};

/// A configuration on a device with weights of a format, compiled in.
struct prior_entry {
    std::string_view name; ///< of the configuration: a preset, or after a file
    std::string_view device, weights;
    PriorConfig config; ///< canonical
    std::size_t weight_bytes;
    std::size_t step_weight_bytes; ///< of those that an incremental step reads
    forward_plan (*plan)(index_t rows);
    result<std::unique_ptr<any_prior>> (*load)(const any_source& weights, int threads);

    /// Of packed files: the name of the device's layout, and a model on packed weights that `owner` keeps in memory. Null
    /// where the device has none.
    std::string_view (*layout)();
    result<std::unique_ptr<any_prior>> (*attach)(const std::byte* packed, std::shared_ptr<const void> owner,
                                                 std::uint64_t hash, int threads);
};

/// What a unit of instances has. The types of this header are all that crosses from units that were compiled for newer
/// instruction sets to the rest of the program: none of them depends on the instruction set, and no function of theirs that
/// the other side defines is called but through a pointer.
struct entry_list {
    std::span<const prior_entry> priors;
    std::span<const text_encoder_entry> text_encoders;
    std::span<const image_encoder_entry> image_encoders;
};

} // namespace apriori::program
