// SPDX-License-Identifier: Apache-2.0
// The attention processor of each layer of a model, as a type: one for all, or one for each layer by position or by
// diffusers' names, as for its set_attn_processor.
#pragma once

#include "apriori/core/fixed_string.hpp"
#include "apriori/expr/attention.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace apriori {

/// One processor for every layer.
template <class Processor = fused_attention>
struct every_layer {
    template <int Layers>
    static constexpr bool fits = true;

    /// body(the processor of a layer).
    static constexpr void visit(int, auto&& body) { body(Processor{}); }
    /// The number of layers whose workspaces may differ: the last one, and any before it.
    template <int Layers>
    static constexpr int distinct = Layers < 2 ? Layers : 2;
};

/// Compile error if the number of processors is not that of the layers.
template <int Layers, std::size_t Processors>
struct attention_processor_count {
    static constexpr bool ok = Layers == int{Processors};
    static_assert(ok, "apriori: one attention processor for each layer is needed; the template arguments of "
                      "attention_processor_count "
                      "show the number of layers and of processors");
};

/// A processor for each layer, from the first to the last.
template <class... Processors>
struct per_layer {
    template <int Layers>
    static constexpr bool fits = attention_processor_count<Layers, sizeof...(Processors)>::ok;
    template <int Layers>
    static constexpr int distinct = Layers;

    static constexpr void visit(int layer, auto&& body) {
        int i = 0;
        ((i++ == layer ? body(Processors{}) : void()), ...);
    }
};

/// A processor under diffusers' name for it, "transformer_blocks.3.attn1.processor".
template <fixed_string Name, class Processor>
struct attn_processor {
    using type = Processor;
    static constexpr std::string_view prefix = "transformer_blocks.", suffix = ".attn1.processor";

    /// The layer in the name; -1 if it is not such a name.
    static constexpr int layer = [] {
        std::string_view n = Name.view();
        if (!n.starts_with(prefix) || !n.ends_with(suffix) || n.size() <= prefix.size() + suffix.size()) return -1;
        n.remove_prefix(prefix.size());
        n.remove_suffix(suffix.size());
        int value = 0;
        for (char c : n) {
            if (c < '0' || c > '9' || value > 100000) return -1;
            value = 10 * value + (c - '0');
        }
        return value;
    }();
    static_assert(layer >= 0, "apriori: an attention processor is named transformer_blocks.<layer>.attn1.processor");
};

/// Processors by name, in any order: each layer exactly once.
template <class... Named>
struct by_name {
    template <int Layers>
    static constexpr bool fits = [] {
        static_assert(attention_processor_count<Layers, sizeof...(Named)>::ok);
        std::array<int, std::size_t{Layers}> seen{};
        ((Named::layer < Layers ? void(++at(seen, Named::layer)) : void()), ...);
        for (int n : seen)
            if (n != 1) return false;
        return true;
    }();
    template <int Layers>
    static constexpr int distinct = Layers;

    static constexpr void visit(int layer, auto&& body) {
        ((Named::layer == layer ? body(typename Named::type{}) : void()), ...);
    }
};

/// diffusers' name for the processor of a layer.
inline std::string attn_processor_name(int layer) {
    return "transformer_blocks." + std::to_string(layer) + ".attn1.processor";
}

} // namespace apriori
