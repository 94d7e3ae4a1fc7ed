// SPDX-License-Identifier: Apache-2.0
// What exact incremental sampling keeps between steps: keys and values of the rows that no step changes.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/cached_attention.hpp"
#include "apriori/models/device_array.hpp"
#include "apriori/models/prior_config.hpp"

#include <cstdint>
#include <memory>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A range of rows of a cache.
struct row_range {
    index_t first = 0, count = 0;
};

/// Queries, keys and values of rows in every layer, [layers][rows][3 * inner], and the hash of
/// the weights they belong to.
template <class Device>
struct layer_cache {
    device_array<float, Device> values{};
    index_t rows = 0, width = 0; ///< width: 3 * inner
    std::uint64_t weights_hash = 0;

    /// Allocates memory for `row_count` rows of width `row_width` in each layer.
    status allocate(Device& device, index_t layers, index_t row_count, index_t row_width, std::uint64_t hash) {
        values = {device, layers * row_count * row_width};
        rows = row_count;
        width = row_width;
        weights_hash = hash;
        return values ? status{} : status{errc::device_error, "no memory for the keys and values of the prompts"};
    }
    cached_rows range(row_range r) const noexcept {
        return {values.data() + r.first * width + width / 3, r.count, rows * width, width};
    }
};

/// The text and pooled rows of prompts, which do not depend on the timestep. Made by PriorTransformer::prefix.
template <class Device>
struct prior_prefix {
    layer_cache<Device> cache{};
    std::vector<row_range> prompts{}; ///< the rows of each prompt
    index_t proj_tokens = 0;          ///< of each prompt's text_embeds
};

/// The time rows of prompts for a list of timesteps. Made by PriorTransformer::kv_cache; it keeps its prefix alive.
template <class Device>
struct prior_kv_cache {
    std::shared_ptr<const prior_prefix<Device>> prefix{};
    layer_cache<Device> cache{}; ///< row p * timesteps + k: prompt p at timestep k
    std::vector<float> timesteps{};

    index_t prompts() const noexcept { return std::ssize(prefix->prompts); }
};

/// One denoising: latents `latent` under prompt `prompt` of a kv cache at its timestep `k`.
template <class Device>
struct prior_step {
    const prior_kv_cache<Device>* kv_cache = nullptr;
    index_t prompt = 0;
    index_t latent = 0;
    index_t k = 0;
};

/// The largest steps that a workspace is for.
struct step_limits {
    index_t rows = 2;          ///< steps processed together: samples times guidance branches
    index_t samples = 1;       ///< latents, one for each sample
    index_t hidden_tokens = 1; ///< of each sample's latents

    /// The most keys that a query attends to.
    constexpr index_t max_keys(const PriorConfig& c) const noexcept { return c.positions() + hidden_tokens; }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
