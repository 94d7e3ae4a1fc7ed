// SPDX-License-Identifier: Apache-2.0
// cases.safetensors as tests/reference/generate.py writes it: <case>.in.<argument> and diffusers' results for them.
#pragma once

#include "any_prior.hpp"
#include "apriori/io/safetensors.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace apriori::program {

/// A call of forward.
struct forward_case {
    std::string name;
    forward_arguments arguments;
    host_tensor expected;
};

/// A run of the sampler with the noise that it drew; rows [unconditional, conditional].
struct sampling_case {
    condition unconditional, conditional;
    host_tensor latents;   ///< [1, embedding_dim]
    host_tensor noise;     ///< [steps, 1, embedding_dim]
    host_tensor timesteps; ///< [steps]
    float guidance = 1;
    host_tensor trace;           ///< [steps, 1, embedding_dim]: the latents after each step
    host_tensor image_embedding; ///< [1, clip_embed_dim]
};

class reference_cases {
public:
    static result<reference_cases> open(const std::filesystem::path& file);

    std::vector<std::string> forward_names() const;
    result<forward_case> forward(const std::string& name) const;

    bool has_sampling() const { return tensors_.find("sample.out.trace").has_value(); }
    result<sampling_case> sampling(const PriorConfig& config) const;

private:
    reference_cases(std::filesystem::path path, io::weights_source tensors)
        : path_(std::move(path)), tensors_(std::move(tensors)) {}

    /// The tensor, or an absent one.
    result<host_tensor> optional(const std::string& name) const;
    result<host_tensor> needed(const std::string& name) const;

    std::filesystem::path path_;
    io::weights_source tensors_;
};

} // namespace apriori::program
