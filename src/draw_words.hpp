// SPDX-License-Identifier: Apache-2.0
// Words to embeddings by the pipeline that the folder is of, as one batch.
#pragma once

#include "apriori/core/torch_random.hpp"
#include "embeddings_file.hpp"
#include "run_report.hpp"

namespace apriori::program {

/// As the library's pipelines take texts, and options.negative for each of them.
std::vector<std::string_view> views_of(std::span<const std::string> texts);
std::vector<std::string_view> negatives_of(const pipeline_options& options, std::size_t texts);

/// The options of a library's pipeline.
embedding_options embedding_options_of(const pipeline_options& options, std::span<const std::string_view> negative,
                                       run_progress& progress);

/// Generators of parts of a batch that are as long: each gives its part the numbers that it would give it alone.
class generators_of_parts {
public:
    explicit generators_of_parts(std::span<const std::uint64_t> seeds) : parts_(seeds.begin(), seeds.end()) {}
    void randn(std::span<float> out);

private:
    std::vector<torch_generator> parts_;
};

/// Samples texts as one batch, each with its negative one or all without, in diffusers' order: UnCLIPPipeline's, or, where the folder has
/// an image encoder, KandinskyV22PriorPipeline's. What did not fit is reported on stderr.
result<made_embeddings> draw_words(const pipeline_options& options, const pipeline_parts& parts,
                                   std::span<const std::string> texts, std::span<const std::string_view> negative,
                                   generators_of_parts random, run_progress& progress);

} // namespace apriori::program
