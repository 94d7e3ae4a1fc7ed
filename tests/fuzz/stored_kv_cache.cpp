// SPDX-License-Identifier: Apache-2.0
// A stored kv cache and its prefix. If they are accepted, the rows of every prompt are within its caches and could
// belong to a prompt.
#include "apriori/io/stored_kv_cache.hpp"

#include "apriori/device/host_memory.hpp"
#include "fuzzing.hpp"

#include <cmath>

using namespace apriori;
using namespace fuzzing;

namespace {

/// The members of a model that the reader needs: no weights and no kernels.
struct model_stub {
    using device_type = host_memory;
    struct block {
        std::uint64_t hash = 0x1234;
    };
    static constexpr PriorConfig config{
        .num_attention_heads = 1, .attention_head_dim = 2, .num_layers = 2, .embedding_dim = 4, .num_embeddings = 3};
    static constexpr index_t inner = config.inner_dim();

    host_memory& device() const { return device_; }
    block weights_block() const { return {}; }

    mutable host_memory device_{};
};

void check(const prior_prefix<host_memory>& prefix) {
    constexpr const PriorConfig& c = model_stub::config;
    index_t next = 0;
    require(!prefix.prompts.empty() && prefix.proj_tokens >= 1, "there is a prompt");
    require(c.additional_embeddings - prefix.proj_tokens >= 3, "time, latents and prd have positions");
    for (const row_range& r : prefix.prompts) {
        require(r.first == next && r.count >= prefix.proj_tokens && r.count <= c.num_embeddings + prefix.proj_tokens,
                "a prompt has rows of its own");
        next += r.count;
    }
    require(next == prefix.cache.rows && prefix.cache.values.size() == 2 * next * 3 * model_stub::inner,
            "the rows are those of the cache");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const memory_file file;
    static const model_stub model;
    const auto path = file.write(text(data, size));
    const auto prefix = io::read_prefix(model, path);
    const auto kv_cache = io::read_kv_cache(model, path);
    if (!prefix) {
        require(!kv_cache, "a kv cache has a prefix");
        refused(prefix.error());
    } else {
        check(**prefix);
    }
    if (!kv_cache) return refused(kv_cache.error());
    check(*(*kv_cache)->prefix);
    for (const float t : (*kv_cache)->timesteps) require(std::isfinite(t), "a timestep is a number");
    require((*kv_cache)->cache.rows == (*kv_cache)->prompts() * std::ssize((*kv_cache)->timesteps),
            "every prompt has every timestep");
    return 0;
}
