// SPDX-License-Identifier: Apache-2.0
// Synthetic weights of any size: element i of a tensor is a pure function of the tensor's name and i. The numbers are
// those of tests/reference/synthetic.py, so that a model can be compared with diffusers without files.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/tensor_source.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

namespace detail {

/// FNV-1a, 64 bits.
constexpr std::uint64_t fnv1a64(std::string_view text, std::uint64_t hash = 0xCBF29CE484222325U) noexcept {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return hash;
}

/// Element `counter` - 1 of the stream `seed` (splitmix64), uniform in [-1, 1); every operation is exact in float32.
constexpr float synthetic_unit(std::uint64_t seed, std::uint64_t counter) noexcept {
    std::uint64_t z = seed + counter * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    z ^= z >> 31;
    return static_cast<float>(static_cast<std::int32_t>(z >> 40)) * 0x1p-23F - 1.0F;
}

/// Rounds the values stored at `p` to float32: prevents a compiler that contracts a*b + c into one fused operation
/// (GCC's default) from combining the product with the sum.
inline void rounding_barrier([[maybe_unused]] float* p) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    __asm__ volatile("" : : "r"(p) : "memory");
#endif
}

/// Offset and scale of a tensor, from the last two parts of its name; nullopt if synthetic.py has no rule for it.
struct synthetic_rule {
    float offset;
    float scale;

    static std::optional<synthetic_rule> of(const tensor_info& t) noexcept {
        const auto dot = t.name.rfind('.');
        const std::string_view leaf = dot == std::string_view::npos ? t.name : t.name.substr(dot + 1);
        std::string_view parent = dot == std::string_view::npos ? std::string_view{} : t.name.substr(0, dot);
        if (const auto before = parent.rfind('.'); before != std::string_view::npos) parent.remove_prefix(before + 1);
        if (parent.find("norm") != std::string_view::npos)
            return leaf == "weight" ? synthetic_rule{1.0F, 0.1F} : synthetic_rule{0.0F, 0.05F};
        if (leaf == "bias") return synthetic_rule{0.0F, 0.05F};
        if (leaf == "weight" && t.rank > 0) {
            const auto fan_in = static_cast<float>(t.dims[static_cast<std::size_t>(t.rank - 1)]);
            return synthetic_rule{0.0F, std::sqrt(3.0F / fan_in)};
        }
        if (leaf == "positional_embedding" || leaf == "prd_embedding" || leaf == "class_embedding")
            return synthetic_rule{0.0F, 0.1F};
        if (leaf == "clip_mean") return synthetic_rule{0.0F, 0.5F};
        if (leaf == "clip_std") return synthetic_rule{1.0F, 0.25F};
        return std::nullopt;
    }
};

} // namespace detail

/// Synthetic values for every tensor of a table. A tensor_source without files; names and shapes are copied. Names must
/// end like those of a PriorTransformer or a CLIP encoder: .weight, .bias, positional_embedding, prd_embedding,
/// class_embedding, clip_mean, clip_std. Reading a tensor of another name is an error.
class synthetic_source {
public:
    template <std::ranges::input_range R>
    requires std::convertible_to<std::ranges::range_reference_t<R>, tensor_info>
    explicit synthetic_source(R&& table) {
        for (auto&& item : table) {
            const tensor_info t = item;
            const auto rule = detail::synthetic_rule::of(t);
            tensors_.push_back({std::string(t.name), t.rank, t.dims, detail::fnv1a64(t.name), rule.has_value(),
                                rule.value_or(detail::synthetic_rule{})});
        }
    }

    static constexpr bool concurrent_reads() noexcept { return true; }
    std::size_t size() const noexcept { return tensors_.size(); }

    tensor_info info(std::size_t i) const noexcept { return {tensors_[i].name, tensors_[i].rank, tensors_[i].dims}; }

    /// Computes elements first .. first + out.size() of tensor i.
    status read(std::size_t i, std::int64_t first, std::span<float> out) const noexcept {
        if (i >= size())
            return status::invalid("the synthetic weights have no tensor of this index", static_cast<std::int64_t>(i),
                                   static_cast<std::int64_t>(size()));
        const entry& t = tensors_[i];
        const std::int64_t count = info(i).size();
        if (first < 0 || first > count || out.size() > static_cast<std::size_t>(count - first))
            return status::invalid("read beyond the end of a tensor", first, count);
        if (!t.has_rule)
            return status::invalid("synthetic weights are defined for names that end in .weight, .bias, "
                                   "positional_embedding, prd_embedding, class_embedding, clip_mean or clip_std");
        constexpr std::size_t block = 1024; // stays in the L1 cache between the two passes
        const std::uint64_t seed = t.seed;  // in registers: `out` may alias anything
        const float scale = t.rule.scale;
        const float offset = t.rule.offset;
        auto counter = static_cast<std::uint64_t>(first) + 1;
        for (std::size_t at = 0; at < out.size(); at += block, counter += block) {
            float* const to = out.data() + at;
            const std::size_t n = (std::min)(block, out.size() - at);
            for (std::size_t k = 0; k < n; ++k) to[k] = scale * detail::synthetic_unit(seed, counter + k);
            if (offset == 0.0F) continue;
            detail::rounding_barrier(to);
            for (std::size_t k = 0; k < n; ++k) to[k] = offset + to[k];
        }
        return {};
    }

private:
    struct entry {
        std::string name;
        int rank;
        std::array<index_t, tensor_info::max_rank> dims;
        std::uint64_t seed;
        bool has_rule;
        detail::synthetic_rule rule;
    };

    std::vector<entry> tensors_;
};

static_assert(tensor_source<synthetic_source>);

/// Fills `out` with inputs or noise as synthetic.py's normal(): half the sum of twelve uniform streams `name#0` to
/// `name#11`, with mean 0 and variance 1, and the same bits everywhere.
inline void synthetic_normal(std::string_view name, std::span<float> out) {
    std::ranges::fill(out, 0.0F);
    const std::uint64_t base = detail::fnv1a64(name);
    for (int k = 0; k < 12; ++k) {
        const std::uint64_t seed = detail::fnv1a64(std::to_string(k), detail::fnv1a64("#", base));
        for (std::size_t i = 0; i < out.size(); ++i) out[i] += detail::synthetic_unit(seed, i + 1);
    }
    for (float& x : out) x *= 0.5F;
}

} // namespace apriori::io
APRIORI_END_EXACT_MATH
