// SPDX-License-Identifier: Apache-2.0
// The parts of a pipeline folder, opened for a command. Cheap checks come before the weights are read.
#pragma once

#include "commands.hpp"
#include "decoder.hpp"
#include "instances.hpp"
#include "model_folder.hpp"
#include "pipeline_models.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace apriori::program {

/// Tokenizer and encoders.
struct word_parts {
    clip_tokenizer tokenizer;
    pipeline_text_encoder text;
    std::unique_ptr<any_text_encoder> text_model;
    pipeline_image_encoder image;
    std::unique_ptr<any_image_encoder> image_model; ///< null if the folder has none
};

/// The input of every sampling command. Must not be moved while pipelines refer to it.
struct pipeline_parts {
    PriorConfig config; ///< canonical
    any_scheduler_config scheduler;
    schedule steps;            ///< as planned from the first timestep
    std::string weights, arch; ///< weights: their format; arch: empty if the device has a single build
    std::string model_name;    ///< the folder's, in UTF-8
    bool sum_samples = false;  ///< interpolate adds up all samples of a text, as in Kandinsky 2.1's pipeline
    std::string loras;         ///< merged into the weights, as text for the metadata; empty: none
    std::optional<decoder> pictures;
    std::unique_ptr<any_prior> prior;
    std::optional<word_parts> words;

    /// Pipelines from texts to embeddings; they need `words`.
    unclip_pipeline unclip() const { return {words->tokenizer, words->text, {config, prior.get()}, scheduler}; }
    kandinsky_pipeline kandinsky() const {
        return {words->tokenizer, words->text, words->image, {config, prior.get()}, scheduler};
    }
    /// Whether the folder is one of Kandinsky's: these have an image encoder.
    bool is_kandinsky() const noexcept { return words && words->image_model != nullptr; }
};

/// Opens the configuration and scheduler of options.model, and its decoder of pictures if there is one.
result<pipeline_parts> open_pipeline(const pipeline_options& options);

/// Opens the tokenizer and the encoders: parts.words.
result<void> open_words(const pipeline_options& options, pipeline_parts& parts);

/// Loads the prior's weights, or maps options.packed. Checks first that options.out, unless it is a batch's folder, and
/// options.png can be written, and replace neither a file of the model nor one of `inputs`.
result<void> load_prior(const pipeline_options& options, std::vector<std::filesystem::path> inputs,
                        pipeline_parts& parts);

} // namespace apriori::program
