// SPDX-License-Identifier: Apache-2.0
// Samples embeddings of texts, as one batch, with the pipeline of the folder.
#pragma once

#include "apriori/core/torch_random.hpp"
#include "embeddings_file.hpp"
#include "run_report.hpp"

namespace apriori::program {

/// The texts as the library's pipelines take them, and options.negative for each of them.
std::vector<std::string_view> views_of(std::span<const std::string> texts);
std::vector<std::string_view> negatives_of(const pipeline_options& options, std::size_t texts);

/// The options of a library's pipeline.
embedding_options embedding_options_of(const pipeline_options& options, std::span<const std::string_view> negative,
                                       run_progress& progress);

/// Generators of equally long parts of a batch: each part gets the numbers that its generator would give it alone.
class generators_of_parts {
public:
    explicit generators_of_parts(std::span<const std::uint64_t> seeds) : parts_(seeds.begin(), seeds.end()) {}
    void randn(std::span<float> out);

private:
    std::vector<torch_generator> parts_;
};

/// Samples texts as one batch, each with its negative text or all without, in diffusers' order: that of
/// UnCLIPPipeline, or, if the folder has an image encoder, of KandinskyV22PriorPipeline. Tokens that did
/// not fit are reported on stderr.
result<made_embeddings> draw_words(const pipeline_options& options, const pipeline_parts& parts,
                                   std::span<const std::string> texts, std::span<const std::string_view> negative,
                                   generators_of_parts random, run_progress& progress);

} // namespace apriori::program
