// SPDX-License-Identifier: Apache-2.0
// A model's packed memory as operands of expressions: its layout is a constant of the type.
#pragma once

#include "apriori/expr/linear.hpp"
#include "apriori/models/parameter_table.hpp"

#include <algorithm>

namespace apriori {

/// A canonical configuration as a type: what a layout, operands and weights are made for.
template <auto Config>
struct model_of {
    static constexpr auto config = Config;
    static constexpr auto parameters = parameters_of(Config);
    using slot_type = typename decltype(parameters_of(Config))::slot_type;
};

/// Where each slot lies. `Packed` is a device's handle to packed matrices of a format.
template <class Model, class Packed>
struct packed_layout {
    using slot = typename Model::slot_type;

    struct place {
        bool used = false, packed = false;
        index_t n = 0, k = 1; ///< a matrix [n, k], or a vector [n]
        std::size_t offset = 0;
    };
    static constexpr std::size_t slots = static_cast<std::size_t>(slot::count);

    static constexpr std::size_t index_of(slot s) noexcept { return static_cast<std::size_t>(s); }

    std::array<place, slots> places{};
    std::size_t block_bytes = 0; ///< of one layer
    std::size_t bytes = 0;       ///< in all

    constexpr packed_layout() {
        const auto reserve = [this](slot s, index_t n) {
            places[index_of(s)].used = true;
            places[index_of(s)].n = std::max(places[index_of(s)].n, n);
        };
        for (int i = 0; i < Model::parameters.constant_count; ++i) {
            const auto c = Model::parameters.constants[static_cast<std::size_t>(i)];
            reserve(c.where, c.n);
        }
        for (const auto& p : Model::parameters) {
            place& at = places[index_of(p.where)];
            at.packed = p.packed;
            if (p.packed) at.k = p.width();
            reserve(p.where, p.row + (p.packed ? p.dims[0] : p.size()));
        }
        for (std::size_t i = 0; i < slots; ++i) {
            std::size_t& end = i < index_of(slot::block) ? bytes : block_bytes;
            places[i].offset = end;
            if (places[i].used) end += stored_bytes(places[i]);
        }
        for (std::size_t i = index_of(slot::block); i < slots; ++i) places[i].offset += bytes;
        bytes += block_bytes * static_cast<std::size_t>(Model::parameters.layers);
    }

    static constexpr std::size_t stored_bytes(const place& p) {
        if (p.packed) return Packed::stored_bytes(p.n, p.k);
        return static_cast<std::size_t>(round_up(p.n * 4, static_cast<index_t>(buffer_alignment)));
    }
    constexpr std::size_t offset(slot s, int layer = 0) const {
        return places[index_of(s)].offset + (s >= slot::block ? static_cast<std::size_t>(layer) * block_bytes : 0);
    }
};

/// Operands of expressions over the memory at `base`; null operands over none, for plans.
template <class Model, class Packed>
struct packed_operands {
    using slot = typename Model::slot_type;
    static constexpr packed_layout<Model, Packed> layout{};
    static constexpr auto place_of(slot s) { return layout.places[layout.index_of(s)]; }

    std::byte* base = nullptr;

    template <slot S>
    constexpr auto vector(int layer = 0) const {
        using V = view<const float, extents<place_of(S).n>>;
        return base == nullptr ? V{} : V(reinterpret_cast<const float*>(base + layout.offset(S, layer)), {});
    }
    /// A vector slot as the rows [n / Width, Width] of a table.
    template <slot S, index_t Width>
    constexpr auto table(int layer = 0) const {
        constexpr index_t rows = place_of(S).n / Width;
        return reshape_view(vector<S>(layer), extents<rows, Width>{});
    }
    template <slot S>
    constexpr auto matrix(int layer = 0) const {
        using W = weight<Packed, place_of(S).n, place_of(S).k>;
        return base == nullptr ? W{} : W{packed<S>(layer)};
    }

private:
    template <slot S>
    Packed packed(int layer) const {
        return Packed(base + layout.offset(S, layer), place_of(S).n, place_of(S).k);
    }
};

} // namespace apriori
