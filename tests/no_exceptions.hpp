// SPDX-License-Identifier: Apache-2.0
// The functions of no_exceptions_model.cpp, which is compiled without exceptions and type information, for
// no_exceptions_test.cpp.
#pragma once

#include "apriori/models/prior_parameters.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace no_exceptions {

inline constexpr apriori::PriorConfig config{
    .num_attention_heads = 2, .attention_head_dim = 4, .num_layers = 2, .embedding_dim = 6, .num_embeddings = 5};

/// Weights with a simple pattern, so that neither a file nor io/ is needed.
class ramp_source {
public:
    std::size_t size() const noexcept { return tensors_.infos().size(); }
    apriori::tensor_info info(std::size_t i) const noexcept { return tensors_.infos()[i]; }
    apriori::status read(std::size_t i, std::int64_t first, std::span<float> out) const noexcept {
        for (float& x : out)
            x = static_cast<float>((first++ * 7 + static_cast<std::int64_t>(i) * 31) % 37 - 18) * 0.03f;
        return {};
    }

private:
    apriori::tensor_list tensors_{config};
};

/// Two rows on the CPU.
struct arguments {
    std::span<const float> hidden_states, timestep, proj_embedding, encoder_hidden_states;
    std::span<const std::uint8_t> attention_mask;
};

/// The model's result, [2, embedding_dim], or nothing if it does not load or run.
std::vector<float> forward(const arguments& a);
/// The same with plain attention on two threads.
std::vector<float> forward_on_threads(const arguments& a);
/// The same with prefix, kv cache and step.
std::vector<float> incremental(const arguments& a);
/// The error for incomplete weights, and the one for a workspace that is too small.
std::string load_incomplete();
std::string forward_without_workspace(const arguments& a);

} // namespace no_exceptions
