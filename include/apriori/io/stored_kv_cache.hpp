// SPDX-License-Identifier: Apache-2.0
// Prefixes and kv caches in files: the cost of a prompt is paid once, and later processes sample it immediately.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

namespace detail {

inline constexpr std::string_view weights_hash_key = "apriori.weights_hash", proj_tokens_key = "apriori.proj_tokens";

inline std::string hex(std::uint64_t value) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
    return std::string(digits, end);
}

/// The whole number in a metadata entry, in that base.
inline result<std::uint64_t> number_in(const safetensors_source& file, std::string_view key, int base) {
    for (const auto& [name, text] : file.metadata()) {
        if (name != key) continue;
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
        if (error == std::errc{} && end == text.data() + text.size()) return value;
        return failure{errc::bad_format, cat("metadata ", quote(key), " is ", quote(text), ", not a number")};
    }
    return failure{errc::bad_format, cat("there is no metadata ", quote(key), ": this is no stored kv cache")};
}

template <class Model>
result<std::vector<float>> host_copy(const Model& model, const layer_cache<typename Model::device_type>& cache) {
    std::vector<float> values(static_cast<std::size_t>(cache.values.size()));
    status s = model.device().synchronize();
    if (s.ok()) s = cache.values.read(values);
    if (!s.ok()) return to_failure(s);
    return values;
}

/// Fills a cache from the tensor of that name, [layers, rows, 3 * inner].
template <class Model>
result<void> read_cache(const Model& model, const safetensors_source& file, const std::string& name, index_t rows,
                        layer_cache<typename Model::device_type>& cache) {
    constexpr index_t layers = Model::config.num_layers, width = 3 * Model::inner;
    const auto at = file.find(name);
    if (!at) return failure{errc::not_found, cat("there is no tensor ", quote(name))};
    const tensor_info info = file.info(*at);
    if (info.rank != 3 || info.dims[0] != layers || info.dims[1] != rows || info.dims[2] != width)
        return failure{errc::shape_mismatch, cat("tensor ", name, " has another shape than [", std::to_string(layers),
                                                 ", ", std::to_string(rows), ", ", std::to_string(width), "]")};
    const auto values = read_tensor(file, name);
    if (!values) return values.error();
    const status s = cache.allocate(model.device(), layers, rows, width, model.weights_block().hash);
    return s.ok() ? cache.values.write(*values) : s;
}

template <class Model>
result<std::shared_ptr<const prior_prefix<typename Model::device_type>>> prefix_of(const Model& model,
                                                                                   const safetensors_source& file) {
    const auto hash = number_in(file, weights_hash_key, 16);
    if (!hash) return hash.error();
    if (*hash != model.weights_block().hash)
        return failure{errc::invalid_argument, "it was made with other weights; make it again with these"};
    const auto proj = number_in(file, proj_tokens_key, 10);
    if (!proj) return proj.error();
    // Time, a latent and prd each take one of the additional embeddings.
    constexpr index_t others = Model::config.added_emb_type == added_emb::prd ? 3 : 2;
    constexpr index_t most = Model::config.additional_embeddings - others;
    if (*proj < 1 || *proj > static_cast<std::uint64_t>(std::max<index_t>(most, 0)))
        return failure{errc::bad_format, cat("metadata ", quote(proj_tokens_key), " is ", std::to_string(*proj))};
    const auto counts = read_tensor(file, "prompt_rows");
    if (!counts) return counts.error();
    auto made = std::make_shared<prior_prefix<typename Model::device_type>>();
    made->proj_tokens = static_cast<index_t>(*proj);
    const auto least = static_cast<float>(made->proj_tokens), text = static_cast<float>(Model::config.num_embeddings);
    index_t rows = 0;
    for (const float n : *counts) {
        if (!(n >= least && n <= least + text && std::floor(n) == n))
            return failure{errc::bad_format, "tensor prompt_rows holds what is no number of rows"};
        made->prompts.push_back({rows, static_cast<index_t>(n)});
        rows += static_cast<index_t>(n);
    }
    if (rows == 0) return failure{errc::bad_format, "tensor prompt_rows names no prompt"};
    if (auto r = read_cache(model, file, "prefix", rows, made->cache); !r) return r.error();
    return std::shared_ptr<const prior_prefix<typename Model::device_type>>(std::move(made));
}

template <class Model>
result<void> write_caches(const Model& model, const prior_prefix<typename Model::device_type>& prefix,
                          const prior_kv_cache<typename Model::device_type>* kv_cache,
                          const std::filesystem::path& path) {
    constexpr index_t layers = Model::config.num_layers, width = 3 * Model::inner;
    if (prefix.cache.weights_hash != model.weights_block().hash)
        return failure{errc::invalid_argument, "the prefix was made with other weights than the model's"};
    std::vector<float> counts;
    for (const row_range& r : prefix.prompts) counts.push_back(static_cast<float>(r.count));
    const auto text = host_copy(model, prefix.cache);
    if (!text) return text.error();
    std::vector<float> times;
    safetensors_writer file;
    if (auto r = file.metadata(weights_hash_key, hex(prefix.cache.weights_hash)); !r) return r;
    if (auto r = file.metadata(proj_tokens_key, std::to_string(prefix.proj_tokens)); !r) return r;
    if (auto r = file.add("prompt_rows", {static_cast<index_t>(counts.size())}, counts); !r) return r;
    if (auto r = file.add("prefix", {layers, prefix.cache.rows, width}, *text); !r) return r;
    if (kv_cache != nullptr) {
        auto copied = host_copy(model, kv_cache->cache);
        if (!copied) return copied.error();
        times = std::move(*copied);
        const auto& steps = kv_cache->timesteps;
        if (auto r = file.add("timesteps", {static_cast<index_t>(steps.size())}, steps); !r) return r;
        if (auto r = file.add("kv_cache", {layers, kv_cache->cache.rows, width}, times); !r) return r;
    }
    return file.write(path);
}

inline failure at_path(failure f, const std::filesystem::path& path) {
    if (f.message.find(path.string()) == std::string::npos) f.message = cat(path.string(), ": ", f.message);
    return f;
}

} // namespace detail

/// Writes a prefix as safetensors: `prompt_rows` [prompts], `prefix` [layers, rows, 3 *
/// inner], and the hash of its weights.
template <class Model>
result<void> write_prefix(const Model& model, const prior_prefix<typename Model::device_type>& prefix,
                          const std::filesystem::path& path) {
    return detail::write_caches(model, prefix, nullptr, path);
}

/// Writes a kv cache with its prefix, and also `timesteps` [n] and `kv_cache` [layers, prompts * n, 3 * inner].
template <class Model>
result<void> write_kv_cache(const Model& model, const prior_kv_cache<typename Model::device_type>& kv_cache,
                            const std::filesystem::path& path) {
    return detail::write_caches(model, *kv_cache.prefix, &kv_cache, path);
}

/// The prefix in a file of either kind, on the model's device. An error if it was made with other weights.
template <class Model>
result<std::shared_ptr<const prior_prefix<typename Model::device_type>>>
read_prefix(const Model& model, const std::filesystem::path& path) {
    const auto file = safetensors_source::open(path);
    if (!file) return file.error();
    auto prefix = detail::prefix_of(model, *file);
    if (!prefix) return detail::at_path(prefix.error(), path);
    return prefix;
}

/// The kv cache in a file, with its prefix, on the model's device. An error if it was made with other weights.
template <class Model>
result<std::shared_ptr<const prior_kv_cache<typename Model::device_type>>>
read_kv_cache(const Model& model, const std::filesystem::path& path) {
    const auto file = safetensors_source::open(path);
    if (!file) return file.error();
    auto prefix = detail::prefix_of(model, *file);
    if (!prefix) return detail::at_path(prefix.error(), path);
    auto steps = read_tensor(*file, "timesteps");
    if (!steps) return detail::at_path(steps.error(), path);
    auto made = std::make_shared<prior_kv_cache<typename Model::device_type>>();
    made->prefix = std::move(*prefix);
    made->timesteps = std::move(*steps);
    if (made->timesteps.empty()) return failure{errc::bad_format, cat(path.string(), ": there are no timesteps")};
    for (const float t : made->timesteps)
        if (!std::isfinite(t))
            return failure{errc::bad_format, cat(path.string(), ": tensor timesteps holds what is no finite number")};
    const index_t rows = made->prompts() * static_cast<index_t>(made->timesteps.size());
    if (auto r = detail::read_cache(model, *file, "kv_cache", rows, made->cache); !r)
        return detail::at_path(r.error(), path);
    return std::shared_ptr<const prior_kv_cache<typename Model::device_type>>(std::move(made));
}

} // namespace apriori::io
APRIORI_END_EXACT_MATH
